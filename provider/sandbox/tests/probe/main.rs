//! The program that the integration tests confine. It must never be part of the product.
//!
//! `worker MODE` goes through the launch as the product's worker does, then plays MODE; the other
//! words play the agent, where a test needs a second one.

#[cfg(target_os = "linux")]
mod inside;
mod record;
#[cfg(target_os = "linux")]
mod vulkan;

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use sandbox::{
    Confined, DriverProfile, Entered, Limits, Sandbox, WorkerProgram, read_frame,
    time_unconfined_start, write_frame,
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
        ["agent"] => agent(),
        ["self-test"] => self_test(),
        #[cfg(target_os = "linux")]
        ["attack"] => attack(),
        ["time", count] => time(count.parse().expect("a count")),
        ["bomb"] => bomb(),
        ["sleep"] => sleep(),
        _ => ExitCode::from(64),
    }
}

fn worker(mode: &str, number: &str) -> ExitCode {
    if mode == "early" && std::env::var_os("NIGHTSHIFT_SANDBOX_STAGE").is_some_and(|s| s == "work")
    {
        print!("I am ready, send the job");
        io::stdout().flush().expect("the pipe is open");
    }
    match sandbox::enter() {
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
    let before = match mode {
        "fill" => fill_scratch(number),
        "daemon" => daemonise(),
        "silent" => {
            sleep();
            0
        }
        "forge" => {
            let text = br#"{"greeting":"UNCONFINED"}"#;
            write_frame(&mut io::stdout(), text).expect("the pipe is open");
            sleep();
            0
        }
        _ => 0,
    };
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
        "fill" => answer(before),
        "spin" | "daemon" => spin(),
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

/// Writes at most `mebibytes` to the scratch folder; returns how many bytes it took.
fn fill_scratch(mebibytes: usize) -> usize {
    let home = std::env::var("HOME").expect("the launch sets HOME");
    let mut file = fs::File::create(format!("{home}/full")).expect("scratch can be written");
    let chunk = vec![1_u8; 1 << 16];
    let mut written = 0;
    for _ in 0..mebibytes * 16 {
        match file.write(&chunk) {
            Ok(count) => written += count,
            Err(_) => break,
        }
    }
    written
}

/// Leaves a process behind that would outlive this one on an ordinary system.
fn daemonise() -> usize {
    Command::new("/proc/self/exe")
        .arg("sleep")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_or(0, |child| child.id() as usize)
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

fn sleep() -> ExitCode {
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

/// Starts a worker that never ends, says so, and waits to be killed.
fn agent() -> ExitCode {
    let launched = sandbox("daemon").launch().expect("a launch");
    let worker = launched.wait_locked(PATIENCE).expect("LOCKED");
    println!("{}", worker.id());
    sleep()
}

/// Starts a worker that takes four times its memory, and says whether it lived to tell.
fn bomb() -> ExitCode {
    let limits = Limits {
        memory_bytes: 96 << 20,
        scratch_bytes: 1 << 20,
        ..Limits::default()
    };
    let program = WorkerProgram::this_binary(["worker", "memory", "384"]);
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), limits);
    let launched = sandbox.launch().expect("a launch");
    let mut worker = launched.wait_locked(PATIENCE).expect("LOCKED");
    let mut output = worker.take_stdout().expect("the first time");
    match read_frame(&mut output, 64) {
        Ok(None) => println!("no answer"),
        other => println!("{other:?}"),
    }
    ExitCode::SUCCESS
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

#[cfg(target_os = "linux")]
fn attack() -> ExitCode {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).expect("targets");
    let targets = serde_json::from_str(&text).expect("targets");
    let attempts = sandbox::attempt_all(&targets);
    println!("{}", serde_json::to_string(&attempts).expect("plain data"));
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
        unconfined.push(time_unconfined_start(&this_as("echo")).expect("a start"));
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
