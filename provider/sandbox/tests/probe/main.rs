//! The program that the integration tests confine. It must never be part of the product.
//!
//! `worker MODE` goes through the launch as the product's worker does, then plays MODE; the other
//! words play the agent, where a test needs a second one.

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod inside;
mod record;
#[cfg(target_os = "linux")]
mod tried;
#[cfg(target_os = "linux")]
mod vulkan;

use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use sandbox::{
    Confined, DriverProfile, Entered, LayerName, Limits, Sandbox, Unconfined, WorkerProgram,
    read_frame, write_frame,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        #[cfg(target_os = "linux")]
        ["worker", "look-at", path] => inside::look_at(path),
        #[cfg(target_os = "linux")]
        ["worker", "ask-device", number] => inside::ask_device(number),
        #[cfg(target_os = "linux")]
        ["--list", file] => inside::lie(file),
        #[cfg(target_os = "linux")]
        ["worker", "vulkan"] => vulkan::worker(),
        ["record", driver, rest @ ..] => record::record(driver, rest),
        ["worker", mode, rest @ ..] => worker(mode, rest.first().copied().unwrap_or("0")),
        #[cfg(target_os = "linux")]
        ["attacks", only @ ..] => {
            attacks::run(only.first().and_then(|number| number.parse().ok()));
            ExitCode::SUCCESS
        }
        #[cfg(target_os = "linux")]
        ["attack", number] => {
            attacks::run_one(number.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        ["self-test"] => self_test(),
        ["hold", way, mebibytes] => hold(way, mebibytes),
        ["time", count] => time(count.parse().expect("a count")),
        ["sleep"] => stay(),
        _ => ExitCode::from(64),
    }
}

fn worker(mode: &str, number: &str) -> ExitCode {
    match sandbox::enter_without_layers() {
        Ok(Entered::Confined(confined)) => {
            serve(confined, mode, number.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        Ok(Entered::Unconfined(start)) => {
            start.announce(&mut io::stdout()).expect("the pipe is open");
            ExitCode::SUCCESS
        }
        Ok(Entered::Finished(code)) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(confined: Confined, mode: &str, number: usize) {
    if mode == "unfit" {
        return confined.refuse("no adapter was found");
    }
    match mode {
        "daemon" => daemonise(),
        "silent" => stay(),
        "late" => warm_up(),
        "forge" => {
            let text = br#"{"greeting":"UNCONFINED"}"#;
            write_frame(&mut io::stdout(), text).expect("the pipe is open");
            stay();
        }
        _ => {}
    }
    let Ok(locked) = confined.lock() else {
        return;
    };
    locked
        .announce(&mut io::stdout())
        .expect("the pipe is open");
    match mode {
        "echo" => echo(),
        "threads" => answer(threads(number)),
        "memory" => answer(memory(number)),
        "spin" | "daemon" | "late" => spin(),
        #[cfg(target_os = "linux")]
        "protected" => inside::hold_protected(number),
        #[cfg(target_os = "linux")]
        "tables" => inside::hold_tables(number),
        #[cfg(target_os = "linux")]
        "shared" => inside::hold_shared(number),
        "panic" => panic_loudly(),
        _ => {}
    }
}

fn answer(number: usize) {
    write_frame(&mut io::stdout(), number.to_string().as_bytes()).expect("the pipe is open");
}

fn echo() {
    while let Ok(Some(frame)) = read_frame(&mut io::stdin(), 1 << 20) {
        write_frame(&mut io::stdout(), &frame).expect("the pipe is open");
    }
}

/// Starts up to `wanted` threads that all wait; returns how many there were at once.
fn threads(wanted: usize) -> usize {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
    let mut started = Vec::new();
    for _ in 0..wanted {
        let receiver = std::sync::Arc::clone(&receiver);
        let thread = std::thread::Builder::new()
            .name("lazy".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                receiver
                    .lock()
                    .is_ok_and(|receiver| receiver.recv().is_ok())
            });
        match thread {
            Ok(thread) => started.push(thread),
            Err(_) => break,
        }
    }
    drop(sender);
    let count = started.len();
    for thread in started {
        let _ = thread.join();
    }
    count
}

/// Writes to `mebibytes` of memory, page by page.
fn memory(mebibytes: usize) -> usize {
    let mut blocks = Vec::new();
    for _ in 0..mebibytes {
        blocks.push(vec![1_u8; 1 << 20]);
    }
    blocks.len()
}

/// Leaves a process behind that would outlive this one on an ordinary system.
fn daemonise() {
    let daemon = Command::new("/proc/self/exe")
        .arg("sleep")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    drop(daemon.expect("before the lock a process can be started"));
}

/// Takes longer than the shortest time that a worker can be given.
fn warm_up() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_500) {
        std::hint::spin_loop();
    }
}

fn spin() {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

fn panic_loudly() {
    let empty: Vec<u8> = Vec::new();
    let index = std::hint::black_box(3);
    std::hint::black_box(empty[index]);
}

fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

fn this_as(mode: &str) -> WorkerProgram {
    WorkerProgram::this_binary(["worker", mode])
}

fn sandbox(mode: &str) -> Sandbox {
    Sandbox::new(this_as(mode), DriverProfile::cpu(), Limits::default())
}

fn self_test() -> ExitCode {
    match sandbox("echo").self_test(PATIENCE) {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).expect("plain data"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what becomes of a worker that holds so many mebibytes of 96.
fn hold(way: &str, mebibytes: &str) -> ExitCode {
    let limits = Limits {
        memory_bytes: 96 << 20,
        scratch_bytes: 1 << 20,
        ..Limits::default()
    };
    let program = WorkerProgram::this_binary(["worker", way, mebibytes]);
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), limits);
    let worker = sandbox.launch().expect("a launch");
    let mut worker = worker.wait_locked(PATIENCE).expect("LOCKED");
    let mut layers = worker.report().layers.iter();
    if layers.any(|layer| layer.name == LayerName::ControlGroup) {
        print!("in a group");
        return ExitCode::SUCCESS;
    }
    let mut output = worker.take_stdout().expect("nobody took it");
    let patience = match read_frame(&mut output, 64) {
        // It is looked at ten times in the meantime.
        Ok(Some(frame)) if frame == b"full" => Duration::from_secs(1),
        Ok(Some(words)) => {
            print!("{}", String::from_utf8_lossy(&words));
            return ExitCode::SUCCESS;
        }
        Ok(None) | Err(_) => PATIENCE,
    };
    match worker.wait_timeout(patience) {
        Some(exit) => print!("{exit:?}"),
        None => print!("it goes on"),
    }
    ExitCode::SUCCESS
}

/// Prints the medians of `count` starts to LOCKED, confined and not, and of as many kills.
fn time(count: usize) -> ExitCode {
    let (mut confined, mut unconfined, mut kills) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        let worker = sandbox("echo").launch().expect("a launch");
        let worker = worker.wait_locked(PATIENCE).expect("LOCKED");
        confined.push(start.elapsed());
        let start = Instant::now();
        worker.kill();
        kills.push(start.elapsed());
        unconfined.push(Unconfined::start(&this_as("echo")).expect("a start").taken);
    }
    for (name, mut times) in [
        ("confined", confined),
        ("unconfined", unconfined),
        ("kill", kills),
    ] {
        times.sort_unstable();
        println!(
            "{name} median {:?} worst {:?}",
            times[count / 2],
            times[count - 1]
        );
    }
    ExitCode::SUCCESS
}
