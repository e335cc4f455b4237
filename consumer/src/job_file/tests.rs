//! Job files: what people write is read, and what is wrong is said with where and an example.

use super::*;

fn parse(text: &str) -> Result<JobFile, String> {
    JobFile::parse(text, PathBuf::from("/jobs"))
}

#[test]
fn a_training_job_with_a_preset_and_a_budget_is_read() {
    let file = parse(
        "[train]\ndata = \"text.txt\"\npreset = \"demo-1m\"\nsteps = 7\n\
         [budget]\nmax_price = \"0.50\"\ntotal = \"0.2\"\n[limits]\nwall_clock_s = 60\n",
    )
    .unwrap();
    let Task::Train { data, spec } = &file.task else {
        panic!("a training job");
    };
    assert_eq!(*data, Source::Path("text.txt".into()));
    assert_eq!((spec.steps, spec.data.as_str()), (7, DATA_NAME));
    assert_eq!(spec.model, market::job::ModelShape::DEMO_1M);
    assert_eq!(
        file.budget.total,
        Some(Amount::from_nanocredits(200_000_000))
    );
    assert_eq!(file.limits.wall_clock_s, 60);
}

#[test]
fn a_short_training_has_a_short_warm_up_unless_the_file_says_otherwise() {
    let warm_up = |text: &str| match parse(text).unwrap().task {
        Task::Train { spec, .. } => spec.warm_up_steps,
        Task::Infer { .. } => panic!("a training job"),
    };
    assert_eq!(warm_up("[train]\ndata = \"t\"\nsteps = 3\n"), 3);
    assert_eq!(warm_up("[train]\ndata = \"t\"\nsteps = 300\n"), 20);
    assert_eq!(
        warm_up("[train]\ndata = \"t\"\nsteps = 3\nwarm_up_steps = 9\n"),
        9
    );
}

#[test]
fn an_inference_job_takes_its_temperature_as_people_write_it() {
    let file = parse("[infer]\nmodel = \"out\"\nprompt = \"The \"\ntemperature = 0.8\n").unwrap();
    let Task::Infer { model, spec } = &file.task else {
        panic!("an inference job");
    };
    assert_eq!(
        (model.as_path(), spec.temperature_milli),
        (Path::new("out"), 800)
    );
    for bad in ["-1", "11", "\"warm\"", "nan"] {
        let text = format!("[infer]\nmodel = \"out\"\nprompt = \"The \"\ntemperature = {bad}\n");
        let error = parse(&text).unwrap_err();
        assert!(error.contains("temperature"), "{error}");
    }
}

#[test]
fn a_url_without_its_hash_is_refused_and_one_with_it_is_taken() {
    let error = parse("[train]\ndata = \"https://example.org/t.txt\"\n").unwrap_err();
    assert!(error.contains("train.blake3"), "{error}");
    let hash = "ab".repeat(32);
    let text = format!("[train]\ndata = \"https://example.org/t.txt\"\nblake3 = \"{hash}\"\n");
    assert!(matches!(
        parse(&text).unwrap().task,
        Task::Train {
            data: Source::Url { .. },
            ..
        }
    ));
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        ("", "neither"),
        ("[train]\nsteps = 3\n", "data"),
        (
            "[train]\ndata = \"t\"\n[infer]\nmodel = \"m\"\nprompt = \"p\"\n",
            "not both",
        ),
        ("[train]\ndata = \"t\"\nstepz = 3\n", "stepz"),
        ("[train]\ndata = 3\n", "data is 3"),
        ("[train]\ndata = \"t\"\npreset = \"huge\"\n", "huge"),
        (
            "[train]\ndata = \"t\"\n[budget]\ntotal = \"many\"\n",
            "many",
        ),
        ("[train\n", "line 1"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}
