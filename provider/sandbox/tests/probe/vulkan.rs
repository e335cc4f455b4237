//! A worker that exercises a Vulkan driver before LOCKED and after it, so that a profile can be
//! tried and recorded without the product's engine. It must never be part of the product.
//!
//! The few calls are made by name, through the loader's own exports, and each create-info is
//! written as the 64-bit words that it consists of; Vulkan's registry says which.
#![expect(unsafe_code, reason = "Vulkan is a C interface")]

use std::ffi::{CStr, CString, c_void};
use std::io;
use std::process::ExitCode;

use sandbox::{Confined, Entered, write_frame};

const COMPUTE_STAGE: u64 = 0x20 << 32;
const HOST_VISIBLE: u32 = 2;
const ONE_MEBIBYTE: u64 = 1 << 20;

/// Lives as a worker: driver up, every kind of memory used, one kernel run; LOCKED; another kernel
/// compiled and run. Answers with the device's name.
pub(crate) fn worker() -> ExitCode {
    match sandbox::enter() {
        Ok(Entered::Confined(confined)) => serve(confined),
        Ok(Entered::Finished(code)) => code,
        Ok(Entered::Unconfined(_)) | Err(_) => ExitCode::FAILURE,
    }
}

fn serve(confined: Confined) -> ExitCode {
    let device = match Device::open().and_then(|device| device.warm_up().map(|()| device)) {
        Ok(device) => device,
        Err(cause) => {
            confined.refuse(&cause);
            return ExitCode::FAILURE;
        }
    };
    let Ok(locked) = confined.lock() else {
        return ExitCode::FAILURE;
    };
    locked
        .announce(&mut io::stdout())
        .expect("the pipe is open");
    let answer = match device.compute(64).and_then(|()| device.use_memory()) {
        Ok(()) => device.name.clone(),
        Err(cause) => cause,
    };
    write_frame(&mut io::stdout(), answer.as_bytes()).expect("the pipe is open");
    ExitCode::SUCCESS
}

/// The Vulkan loader, open.
struct Vulkan(*mut c_void);

impl Vulkan {
    fn open() -> Result<Self, String> {
        // SAFETY: opening a library runs its initialisers, which is what a driver's loader is for.
        let library = unsafe { libc::dlopen(c"libvulkan.so.1".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            // SAFETY: after a failed dlopen, dlerror gives a string.
            let words = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(words.to_string_lossy().into_owned());
        }
        Ok(Self(library))
    }

    /// Makes a call. Handles, pointers and numbers all travel as 64-bit words.
    fn call(&self, name: &str, words: &[u64]) -> Result<i32, String> {
        let symbol = CString::new(name).expect("names of calls have no zero");
        // SAFETY: the library stays open as long as the process.
        let address = unsafe { libc::dlsym(self.0, symbol.as_ptr()) };
        if address.is_null() {
            return Err(format!("there is no {name}"));
        }
        let mut all = [0; 6];
        all[..words.len()].copy_from_slice(words);
        let [a, b, c, d, e, f] = all;
        // SAFETY: every call used here takes at most six words, all of them integers or pointers;
        // those beyond its own lie in registers that it does not read.
        let answer = unsafe {
            let function: extern "C" fn(u64, u64, u64, u64, u64, u64) -> i32 =
                std::mem::transmute(address);
            function(a, b, c, d, e, f)
        };
        Ok(answer)
    }

    /// Makes a call that answers zero for success.
    fn check(&self, name: &str, words: &[u64]) -> Result<(), String> {
        match self.call(name, words)? {
            0 => Ok(()),
            code => Err(format!("{name} answered {code}")),
        }
    }
}

/// A device with a queue.
struct Device {
    vulkan: Vulkan,
    name: String,
    card: u64,
    device: u64,
    queue: u64,
}

fn address<T: ?Sized>(value: &T) -> u64 {
    std::ptr::from_ref(value).cast::<u8>() as u64
}

fn place<T: ?Sized>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).cast::<u8>() as u64
}

impl Device {
    fn open() -> Result<Self, String> {
        let vulkan = Vulkan::open()?;
        let (mut instance, mut card, mut device, mut queue) = (0_u64, 0_u64, 0_u64, 0_u64);
        let info: [u64; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
        vulkan.check(
            "vkCreateInstance",
            &[address(&info), 0, place(&mut instance)],
        )?;
        let mut count = 1_u32;
        let enumerate = [instance, place(&mut count), place(&mut card)];
        // 5 says that there are more than the one that was asked for.
        match vulkan.call("vkEnumeratePhysicalDevices", &enumerate)? {
            0 | 5 if count == 1 => {}
            code => {
                return Err(format!(
                    "there is no device: {count} found, the answer was {code}"
                ));
            }
        }
        let mut properties = [0_u64; 128];
        vulkan.call(
            "vkGetPhysicalDeviceProperties",
            &[card, place(&mut properties)],
        )?;
        let bytes: Vec<u8> = properties
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let name = CStr::from_bytes_until_nul(&bytes[20..276]).map_err(|e| e.to_string())?;
        let priority = 1.0_f32;
        let queues: [u64; 5] = [2, 0, 0, 1, address(&priority)];
        let info: [u64; 9] = [3, 0, 1 << 32, address(&queues), 0, 0, 0, 0, 0];
        vulkan.check(
            "vkCreateDevice",
            &[card, address(&info), 0, place(&mut device)],
        )?;
        vulkan.call("vkGetDeviceQueue", &[device, 0, 0, place(&mut queue)])?;
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            vulkan,
            card,
            device,
            queue,
        })
    }

    fn warm_up(&self) -> Result<(), String> {
        self.use_memory()?;
        self.compute(1)
    }

    /// Takes a block of each memory type, and writes to those that the processor can reach.
    fn use_memory(&self) -> Result<(), String> {
        let mut types = [0_u32; 130];
        self.vulkan.call(
            "vkGetPhysicalDeviceMemoryProperties",
            &[self.card, place(&mut types)],
        )?;
        for index in 0..types[0] as usize {
            let flags = types[1 + 2 * index];
            // Beyond the first five flags a type needs a feature that was not asked for.
            if flags & !0x1f != 0 {
                continue;
            }
            let info: [u64; 4] = [5, 0, ONE_MEBIBYTE, index as u64];
            let mut memory = 0_u64;
            self.vulkan.check(
                "vkAllocateMemory",
                &[self.device, address(&info), 0, place(&mut memory)],
            )?;
            if flags & HOST_VISIBLE != 0 {
                self.write_to(memory)?;
            }
            self.vulkan
                .call("vkFreeMemory", &[self.device, memory, 0])?;
        }
        Ok(())
    }

    fn write_to(&self, memory: u64) -> Result<(), String> {
        let mut mapped: *mut u8 = std::ptr::null_mut();
        let words = [self.device, memory, 0, ONE_MEBIBYTE, 0, place(&mut mapped)];
        self.vulkan.check("vkMapMemory", &words)?;
        // SAFETY: the mapping has that many bytes until it is undone below.
        unsafe { mapped.write_bytes(1, 1 << 20) };
        self.vulkan.call("vkUnmapMemory", &[self.device, memory])?;
        Ok(())
    }

    /// Compiles a kernel of `width` threads a group, runs it and waits for its end.
    fn compute(&self, width: u32) -> Result<(), String> {
        let pipeline = self.pipeline(width)?;
        let (mut pool, mut commands) = (0_u64, 0_u64);
        let info: [u64; 3] = [39, 0, 0];
        self.vulkan.check(
            "vkCreateCommandPool",
            &[self.device, address(&info), 0, place(&mut pool)],
        )?;
        let info: [u64; 4] = [40, 0, pool, 1 << 32];
        self.vulkan.check(
            "vkAllocateCommandBuffers",
            &[self.device, address(&info), place(&mut commands)],
        )?;
        let info: [u64; 4] = [42, 0, 0, 0];
        self.vulkan
            .check("vkBeginCommandBuffer", &[commands, address(&info)])?;
        self.vulkan
            .call("vkCmdBindPipeline", &[commands, 1, pipeline])?;
        self.vulkan.call("vkCmdDispatch", &[commands, 256, 1, 1])?;
        self.vulkan.check("vkEndCommandBuffer", &[commands])?;
        let info: [u64; 9] = [4, 0, 0, 0, 0, 1, address(&commands), 0, 0];
        self.vulkan
            .check("vkQueueSubmit", &[self.queue, 1, address(&info), 0])?;
        self.vulkan.check("vkQueueWaitIdle", &[self.queue])
    }

    fn pipeline(&self, width: u32) -> Result<u64, String> {
        let code = kernel(width);
        let (mut module, mut layout, mut pipeline) = (0_u64, 0_u64, 0_u64);
        let info: [u64; 5] = [16, 0, 0, size_of_val(&code) as u64, address(&code)];
        self.vulkan.check(
            "vkCreateShaderModule",
            &[self.device, address(&info), 0, place(&mut module)],
        )?;
        let info: [u64; 6] = [30, 0, 0, 0, 0, 0];
        self.vulkan.check(
            "vkCreatePipelineLayout",
            &[self.device, address(&info), 0, place(&mut layout)],
        )?;
        let main = address(c"main");
        let info: [u64; 12] = [
            29,
            0,
            0,
            18,
            0,
            COMPUTE_STAGE,
            module,
            main,
            0,
            layout,
            0,
            0,
        ];
        let words = [self.device, 0, 1, address(&info), 0, place(&mut pipeline)];
        self.vulkan.check("vkCreateComputePipelines", &words)?;
        Ok(pipeline)
    }
}

/// SPIR-V of `main`, which returns at once, in groups of `width` threads.
#[rustfmt::skip]
fn kernel(width: u32) -> [u32; 35] {
    let op = |words: u32, code: u32| words << 16 | code;
    [
        0x0723_0203, 0x0001_0000, 0, 5, 0, // the header
        op(2, 17), 1, // capability Shader
        op(3, 14), 0, 1, // memory model Logical GLSL450
        op(5, 15), 5, 1, u32::from_le_bytes(*b"main"), 0, // entry point, compute
        op(6, 16), 1, 17, width, 1, 1, // execution mode LocalSize
        op(2, 19), 2, // void
        op(3, 33), 3, 2, // a function that returns it
        op(5, 54), 2, 1, 0, 3, // the function
        op(2, 248), 4, op(1, 253), op(1, 56), // its body: return
    ]
}
