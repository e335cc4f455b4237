//! Job files: what people write is read, and what is wrong is said with where and an example.

use super::*;

fn parse(text: &str) -> Result<JobFile, String> {
    JobFile::parse(text, PathBuf::from("/jobs")).map_err(|mistake| mistake.to_string())
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
        warm_up("[train]\ndata = \"t\"\nsteps = 30\nwarm_up_steps = 9\n"),
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
fn a_level_of_the_sandbox_can_be_asked_for_and_is_the_least_otherwise() {
    let needs =
        |rest: &str| parse(&format!("[train]\ndata = \"t\"\n{rest}")).map(|file| file.needs);
    assert_eq!(needs(""), Ok(Needs { sandbox: 1 }));
    assert_eq!(needs("[needs]\n"), Ok(Needs::default()));
    assert_eq!(needs("[needs]\nsandbox = 2\n"), Ok(Needs { sandbox: 2 }));
    for bad in ["0", "256", "-1", "\"engine\""] {
        let error = needs(&format!("[needs]\nsandbox = {bad}\n")).unwrap_err();
        assert!(error.starts_with("line 4, column 11: "), "{error}");
        let said = format!("needs.sandbox is {bad}; allowed is a whole number, 1 to 255.");
        assert!(error.contains(&said), "{error}");
    }
    let error = needs("[needs]\nsandbx = 2\n").unwrap_err();
    assert!(error.contains("did you mean sandbox?"), "{error}");
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
        (
            "[train]\ndata = 3\n",
            "data is 3; allowed is a text in quotes",
        ),
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

#[test]
fn a_mistake_is_told_with_its_place_and_what_was_meant() {
    let cases = [
        ("[trian]\n", (1, 2), "did you mean [train]?"),
        ("steps = 3\n", (1, 1), "below a line [train]"),
        ("[train]\n  stepz = 3\n", (2, 3), "did you mean steps?"),
        (
            "[train]\nsteps = \"3\"\n",
            (2, 9),
            "a whole number, 1 to 10000000",
        ),
        ("[train]\nsteps = 0\n", (2, 9), "For example: steps = 400"),
        ("[train]\nsteps = -1\n", (2, 9), "train.steps is -1"),
        ("[budget]\ntotal = 0.1\n", (2, 9), "credits in quotes"),
        (
            "[train]\nmodel = { dimm = 64 }\n",
            (2, 11),
            "did you mean dim?",
        ),
        (
            "[train]\ndata = \"t\"\nsequence = 512\n",
            (3, 12),
            "train.sequence",
        ),
        (
            "[train]\ndata = \"t\"\nmodel = { dim = 100, heads = 3 }\n",
            (3, 30),
            "heads",
        ),
    ];
    for (text, (line, column), reason) in cases {
        let error = parse(text).unwrap_err();
        let place = format!("line {line}, column {column}: ");
        assert!(error.starts_with(&place), "{text:?}: {error}");
        assert!(error.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn every_example_of_the_list_is_allowed() {
    for key in JOB_KEYS {
        let needed = match key.table {
            "train" | "train.model" => "[train]\ndata = \"t\"\n",
            "infer" => "[infer]\nmodel = \"m\"\nprompt = \"p\"\n",
            table => &format!("[train]\ndata = \"t\"\n[{table}]\n"),
        };
        let line = match (key.table, key.name) {
            (_, "data" | "prompt" | "blake3") | ("infer", "model") => continue,
            ("train.model", name) => format!("model = {{ {name} = {} }}", key.example),
            (_, name) => format!("{name} = {}", key.example),
        };
        let text = format!("{needed}{line}\n");
        assert!(parse(&text).is_ok(), "{text}: {:?}", parse(&text));
    }
}

#[test]
fn every_default_of_the_list_is_the_codes() {
    let train = TrainSpec::new(DATA_NAME.parse().unwrap());
    let numbers = JOB_KEYS
        .iter()
        .filter(|key| matches!(key.kind, JobKeyKind::Whole { .. }));
    for key in numbers {
        let said = match key.table {
            "train" => toml::Value::try_from(&train),
            "train.model" => toml::Value::try_from(train.model),
            "infer" => toml::Value::try_from(InferSpec::new("p")),
            "limits" => toml::Value::try_from(Limits::default()),
            "needs" => toml::Value::try_from(Needs::default()),
            _ => continue,
        };
        let said = said.unwrap()[key.name].to_string();
        assert!(key.default.starts_with(&said), "{}: {said}", key.name);
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = job_reference();
    for key in JOB_KEYS {
        let row = format!("| `{}` | ", key.name);
        assert!(reference.contains(&row), "{}", key.name);
    }
}
