//! Trains the demo's model on a text file in this process and continues a prompt, to measure speed.
//!
//! `cargo run -p engine --example measure -- FILE [STEPS [BATCH [SEQUENCE [RATE_MICROS]]]]`. Never
//! confined: for the development machine only, never for a job from the network.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use engine::{
    Blob, Budget, CHUNK_BYTES, Card, EngineDevice, FromWorker, Pipe, ToWorker, run, warm_up,
};
use market::job::{InferSpec, Input, JobKind, JobSpec, Limits, TrainSpec};

/// A pipe in memory that prints what the worker says and keeps the outputs.
#[derive(Default)]
struct Screen {
    to_worker: VecDeque<Vec<u8>>,
    outputs: Vec<(String, Vec<u8>)>,
}

impl Screen {
    fn queue(&mut self, job: &JobSpec, contents: &[&[u8]]) {
        let mut messages = vec![ToWorker::Job(Blob(job.to_bytes()))];
        for (input, content) in job.inputs.iter().zip(contents) {
            let pieces = content.chunks(CHUNK_BYTES).enumerate();
            messages.extend(pieces.map(|(index, piece)| ToWorker::Input {
                name: input.name.clone(),
                offset: (index * CHUNK_BYTES) as u64,
                bytes: Blob(piece.to_vec()),
                last: (index + 1) * CHUNK_BYTES >= content.len(),
            }));
        }
        messages.push(ToWorker::Start);
        self.to_worker
            .extend(messages.iter().map(ToWorker::to_bytes));
    }

    fn output(&self, name: &str) -> &[u8] {
        let found = self.outputs.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, content)| content)
    }
}

impl Pipe for Screen {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.to_worker.pop_front())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match FromWorker::from_bytes(message).map_err(io::Error::other)? {
            FromWorker::Output { name, bytes, .. } => {
                let name = name.to_string();
                match self.outputs.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, content)) => content.extend(bytes.0),
                    None => self.outputs.push((name, bytes.0)),
                }
            }
            FromWorker::Text(_) => {}
            other => println!("{other:?}"),
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = std::fs::read(arguments.first().ok_or("give a text file")?)?;
    let number = |index: usize| {
        arguments
            .get(index)
            .and_then(|text| text.parse::<u32>().ok())
    };
    let mut spec = TrainSpec::new("data.txt".parse()?);
    spec.steps = number(1).unwrap_or(spec.steps);
    spec.batch = number(2).unwrap_or(spec.batch);
    spec.sequence = number(3).unwrap_or(spec.sequence);
    spec.learning_rate_micros = number(4).unwrap_or(spec.learning_rate_micros);
    spec.warm_up_steps = spec.warm_up_steps.min(spec.steps);
    let card = Card::open(&EngineDevice::Flex, Budget::UNLIMITED)?;
    let began = Instant::now();
    warm_up(&card)?;
    println!("warm-up {:?}", began.elapsed());
    let mut screen = Screen::default();
    let train = JobSpec {
        inputs: vec![Input::of(spec.data.clone(), &text)],
        kind: JobKind::Train(spec),
        limits: Limits::default(),
    };
    println!("estimate {} MiB", train.memory_bytes() >> 20);
    screen.queue(&train, &[&text]);
    run(&mut screen, &card)?;
    let (config, weights) = (
        screen.output("config.json"),
        screen.output("model.safetensors"),
    );
    let (config, weights) = (config.to_vec(), weights.to_vec());
    let mut infer = InferSpec::new("The market ");
    infer.max_tokens = 200;
    let infer = JobSpec {
        inputs: vec![
            Input::of(infer.config.clone(), &config),
            Input::of(infer.weights.clone(), &weights),
        ],
        kind: JobKind::Infer(infer),
        limits: Limits::default(),
    };
    screen.queue(&infer, &[&config, &weights]);
    run(&mut screen, &card)?;
    println!(
        "{}",
        String::from_utf8_lossy(screen.output("completion.txt"))
    );
    Ok(())
}
