//! Every key has a default, a range and a meaning; what is wrong is told with its place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn load(text: &str) -> Result<Settings, ConfigError> {
    let (_folder, path) = written(text);
    Settings::layered(&path, [])
}

fn told(text: &str) -> String {
    let told = load(text).unwrap_err().to_string();
    let (_, told) = told.split_once("config.toml, ").expect("the file is named");
    told.to_owned()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let os = |(name, value): &(&str, &str)| (name.into(), value.into());
    pairs.iter().map(os).collect()
}

#[test]
fn the_list_of_keys_and_the_fields_are_the_same() {
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    let fields = defaults.iter().flat_map(|(section, table)| {
        let names = table.as_table().unwrap().keys();
        names.map(move |name| format!("{section}.{name}"))
    });
    let mut fields: Vec<String> = fields.collect();
    let mut names: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    fields.sort_unstable();
    names.sort_unstable();
    assert_eq!(fields, names);
    for key in KEYS {
        assert!(key.meaning.ends_with('.'), "{}", key.name);
        assert!(value::checked(key, key.default_value(), Place::Command).is_ok());
    }
}

#[test]
fn both_ends_of_every_range_are_taken_and_what_lies_beyond_is_not() {
    for key in KEYS {
        let Kind::Integer { least, most, .. } = key.kind else {
            continue;
        };
        let (section, name) = key.parts();
        let at = |number: i128| load(&format!("[{section}]\n{name} = {number}\n"));
        for allowed in [least, most] {
            let settings = at(allowed.into()).unwrap();
            let value = i64::try_from(allowed).unwrap().into();
            assert_eq!(settings.entry(key).value, value, "{}", key.name);
        }
        for beyond in [i128::from(least) - 1, i128::from(most) + 1] {
            let told = at(beyond).unwrap_err().to_string();
            assert!(told.contains(&format!("{least} to {most}")), "{told}");
            assert!(told.contains(&beyond.to_string()), "{told}");
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_name() {
    let cases = [
        (
            "[sell]\ntick = 5\n",
            "line 2, column 1: unknown key sell.tick: did you mean sell.tick_ms?",
        ),
        (
            "[sell]\n\n  prise = \"1\"\n",
            "line 3, column 3: unknown key sell.prise: did you mean sell.price?",
        ),
        (
            "[sel]\nprice = \"1\"\n",
            "line 1, column 2: unknown key sel: did you mean [sell]?",
        ),
        (
            "price = \"1\"\n",
            "line 1, column 1: unknown key price: did you mean sell.price?",
        ),
        (
            "[log]\ncolour = 1\n",
            "line 2, column 1: unknown key log.colour",
        ),
        (
            "nonsense = 1\n",
            "line 1, column 1: nonsense is a value; a setting stands in its section",
        ),
    ];
    for (text, wanted) in cases {
        let told = told(text);
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_place_and_what_is_allowed() {
    let cases = [
        (
            "[sell]\nprice = 0.3\n",
            "line 2, column 9: sell.price is 0.3; allowed is credits a GPU-hour as text",
        ),
        (
            "[sell]\nprice = \"-1\"\n",
            "sell.price is \"-1\"; allowed is credits",
        ),
        (
            "[sell]\ntick_ms = \"5\"\n",
            "sell.tick_ms is \"5\"; allowed is a whole number of milliseconds, 100 to 60000",
        ),
        ("[sell.price]\na = 1\n", "sell.price is a section"),
        (
            "[log]\nlevel = \"loud\"\n",
            "log.level is \"loud\"; allowed is one of \"error\", \"warn\"",
        ),
        (
            "[network]\nlisten = [\"here\"]\n",
            "network.listen is [\"here\"]; allowed is a list of addresses",
        ),
        (
            "[sell]\ntick_ms = 99999999999999999999\n",
            "line 2, column 11: sell.tick_ms is 99999999999999999999",
        ),
        ("[sell\n", "line 1, column 6: "),
        (
            "[sell]\nprice = \"1\"\nprice = \"2\"\n",
            "line 3, column 1: duplicate key",
        ),
    ];
    for (text, wanted) in cases {
        let told = told(text);
        assert!(told.contains(wanted), "{text}: {told}");
    }
}

#[test]
fn a_price_is_taken_with_its_unit_and_kept_without() {
    let settings = load("[sell]\nprice = \"0.30 cr/h\"\n").unwrap();
    assert_eq!(settings.config().sell.price, "0.3".parse().unwrap());
    let (_folder, path) = written("");
    let edited = set_in_file(&path, "sell.price", "1.50 cr").unwrap();
    assert_eq!(edited.after, "1.5".into());
}

#[test]
fn the_environment_beats_the_file_and_a_flag_beats_both() {
    let (_folder, path) = written("[sell]\nprice = \"0.1\"\ntick_ms = 200\nhold_bps = 1\n");
    let environment = variables(&[
        ("NIGHTSHIFT_SELL_PRICE", "0.2"),
        ("NIGHTSHIFT_SELL_TICK_MS", "300"),
        (
            "NIGHTSHIFT_NETWORK_LISTEN",
            "/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2",
        ),
        ("NIGHTSHIFT_HOME", "/nowhere"),
        ("NIGHTSHIFT_LOG", "market_node=trace"),
        ("SELL_PRICE", "9"),
    ]);
    let mut settings = Settings::layered(&path, environment).unwrap();
    settings
        .decide_by_flag("--price", "sell.price", "0.3")
        .unwrap();
    let config = settings.config();
    assert_eq!(config.sell.price, "0.3".parse().unwrap());
    assert_eq!((config.sell.tick_ms, config.sell.hold_bps), (300, 1));
    assert_eq!(config.network.listen.len(), 2);
    assert_eq!(config.lease, LeaseSettings::default());
    let origin = |name| settings.entry(key(name).unwrap()).origin;
    let flag = "--price".to_owned();
    assert_eq!(origin("sell.price"), Origin::Flag { flag });
    let variable = "NIGHTSHIFT_SELL_TICK_MS".to_owned();
    assert_eq!(origin("sell.tick_ms"), Origin::Environment { variable });
    assert_eq!(origin("sell.hold_bps"), Origin::File { line: 4 });
    assert_eq!(origin("disk.reserve_mib"), Origin::Default);
}

#[test]
fn every_key_has_a_variable_that_decides_it() {
    for key in KEYS {
        let text = match key.kind {
            Kind::Integer { least, most, .. } => {
                let is_default = key.default_value().as_integer() == i64::try_from(least).ok();
                if is_default { most } else { least }.to_string()
            }
            Kind::Price | Kind::Tariff => "0.75".to_owned(),
            Kind::Counterparties => format!("{},{}", address(), "0a".repeat(32)),
            Kind::Addresses => "/ip4/10.0.0.1/tcp/7".to_owned(),
            Kind::Loopback => "127.0.0.1:9464".to_owned(),
            Kind::Choice(words) => (*words.last().unwrap()).to_owned(),
        };
        let variable = key.variable();
        let environment = variables(&[(&variable, &text)]);
        let settings = Settings::layered(Path::new("/nowhere"), environment).unwrap();
        let entry = settings.entry(key);
        assert_eq!(entry.origin, Origin::Environment { variable });
        assert_ne!(entry.value, key.default_value(), "{}", key.name);
    }
}

#[test]
fn figures_are_served_to_this_machine_alone() {
    let decided = |text| {
        let environment = variables(&[("NIGHTSHIFT_OPERATOR_METRICS", text)]);
        Settings::layered(Path::new("/nowhere"), environment)
    };
    for (text, port) in [("127.0.0.1:9464", 9464), ("[::1]:1", 1), ("127.8.8.8:2", 2)] {
        let settings = decided(text).unwrap();
        let address = settings.config().operator.metrics_address().unwrap();
        assert_eq!(address.port(), port);
    }
    let none = decided("").unwrap();
    assert_eq!(none.config().operator.metrics_address(), None);
    for text in [
        "0.0.0.0:9464",
        "192.168.1.2:80",
        "localhost:80",
        "9464",
        "127.0.0.1",
    ] {
        let told = decided(text).unwrap_err().to_string();
        assert!(told.contains("a port of this machine"), "{told}");
    }
}

#[test]
fn a_mistyped_variable_is_refused_like_a_mistyped_key() {
    let refused = |name, value| {
        let environment = variables(&[(name, value)]);
        let settings = Settings::layered(Path::new("/nowhere"), environment);
        settings.unwrap_err().to_string()
    };
    let told = refused("NIGHTSHIFT_SELL_PRISE", "1");
    assert!(
        told.contains("did you mean NIGHTSHIFT_SELL_PRICE?"),
        "{told}"
    );
    let told = refused("NIGHTSHIFT_SELL_TICK_MS", "fast");
    assert!(
        told.contains(
            "variable NIGHTSHIFT_SELL_TICK_MS: sell.tick_ms is \"fast\"; allowed is a whole number"
        ),
        "{told}"
    );
}

#[test]
fn setting_a_key_keeps_comments_order_and_everything_else() {
    let text =
        "# Mine.\n[sell] # prices\n# cheap\nprice = \"0.1\" # for now\n\n[network]\nlisten = []\n";
    let (_folder, path) = written(text);
    let edited = set_in_file(&path, "sell.price", "0.35").unwrap();
    assert_eq!(edited.before, Some("0.1".into()));
    assert_eq!(edited.after, "0.35".into());
    set_in_file(&path, "sell.tick_ms", "500").unwrap();
    set_in_file(&path, "network.listen", "/ip4/1.2.3.4/tcp/5").unwrap();
    set_in_file(&path, "disk.reserve_mib", "9").unwrap();
    let wanted = "# Mine.\n[sell] # prices\n# cheap\nprice = \"0.35\" # for now\ntick_ms = 500\n\n[network]\n\
                  listen = [\"/ip4/1.2.3.4/tcp/5\"]\n\n[disk]\nreserve_mib = 9\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
}

#[test]
fn a_key_can_be_set_where_there_is_no_file_and_in_files_of_other_shapes() {
    let cases = [
        ("", "[sell]\ntick_ms = 500\n"),
        ("[sell]", "[sell]\ntick_ms = 500\n"),
        (
            "sell.price = \"1\"",
            "sell.price = \"1\"\nsell.tick_ms = 500\n",
        ),
        (
            "[sell]\r\nprice = \"1\"\r\n",
            "[sell]\r\nprice = \"1\"\r\ntick_ms = 500\r\n",
        ),
        ("sell = { tick_ms = 100 }\n", "sell = { tick_ms = 500 }\n"),
        (
            "[log]\nfiles = 3",
            "[log]\nfiles = 3\n\n[sell]\ntick_ms = 500\n",
        ),
    ];
    for (before, after) in cases {
        let (_folder, path) = written(before);
        if before.is_empty() {
            std::fs::remove_file(&path).unwrap();
        }
        set_in_file(&path, "sell.tick_ms", "500").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
    }
}

#[test]
fn what_cannot_be_set_leaves_the_file_as_it_is() {
    let inline = "sell = { price = \"1\" }\n";
    let cases = [
        (inline, "sell.tick_ms", "500", "write it there by hand"),
        ("", "sell.tick", "500", "did you mean sell.tick_ms?"),
        ("", "sell.tick_ms", "5", "100 to 60000"),
        (
            "[log]\nfilez = 1\n",
            "sell.tick_ms",
            "500",
            "did you mean log.files?",
        ),
        ("[log\n", "sell.tick_ms", "500", "line 1"),
    ];
    for (text, name, value, wanted) in cases {
        let (_folder, path) = written(text);
        let told = set_in_file(&path, name, value).unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_bad_value_in_the_file_can_be_mended_by_setting_it() {
    let (_folder, path) = written("[sell]\ntick_ms = 5\n");
    set_in_file(&path, "sell.tick_ms", "500").unwrap();
    let settings = Settings::layered(&path, []).unwrap();
    assert_eq!(settings.config().sell.tick_ms, 500);
}

#[test]
fn the_reference_names_every_key_with_its_default() {
    let text = reference();
    assert_eq!(text.lines().count(), KEYS.len() + 2);
    assert!(text.contains("| `sell.price` | `\"0.25\"` |"), "{text}");
    assert!(text.contains("`NIGHTSHIFT_DISK_RESERVE_MIB`"), "{text}");
}

fn address() -> String {
    market::AccountId::from_bytes([7; 32]).to_string()
}

#[test]
fn every_strategy_is_a_word_of_its_setting() {
    for strategy in Strategy::ALL {
        let text = format!("[sell]\nstrategy = \"{strategy}\"\n");
        assert_eq!(load(&text).unwrap().config().sell.strategy, strategy);
        assert_eq!(strategy.to_string().parse(), Ok(strategy));
    }
    let told = told("[sell]\nstrategy = \"cheapest\"\n");
    assert!(
        told.contains("one of \"fixed\", \"join\", \"undercut\""),
        "{told}"
    );
    let told = "cheapest".parse::<Strategy>().unwrap_err().to_string();
    assert!(
        told.contains("fixed, join, undercut, follow-mid, cost"),
        "{told}"
    );
}

#[test]
fn accounts_and_nodes_are_told_apart_and_the_deny_list_beats_the_allow_list() {
    let (account, node) = (address(), "0a".repeat(32));
    let text = format!("[sell]\ndeny = [\"{node}\"]\nallow = [\"{account}\"]\n");
    let sell = load(&text).unwrap().config().sell.clone();
    let account = market::AccountId::from_bytes([7; 32]);
    let (other, node) = (market::AccountId::from_bytes([8; 32]), [9; 32]);
    let node = market::NodeId::from_bytes(node);
    assert_eq!(sell.welcomes(account, node), Ok(()));
    assert_eq!(sell.welcomes(other, node), Err(Unwelcome::NotAllowed));
    let denied = market::NodeId::from_bytes([10; 32]);
    let told = sell.welcomes(account, denied).unwrap_err().to_string();
    assert!(
        told.contains("deny list") && told.contains("0a0a0a"),
        "{told}"
    );
    let told = told_of_list("somebody");
    assert!(told.contains("accounts (night1...) and nodes"), "{told}");
}

fn told_of_list(item: &str) -> String {
    told(&format!("[sell]\ndeny = [\"{item}\"]\n"))
}

#[test]
fn a_tariff_is_an_amount_a_kilowatt_hour() {
    let settings = load("[sell]\ntariff = \"0.30 cr/kWh\"\nwatts = 200\n").unwrap();
    let sell = &settings.config().sell;
    assert_eq!((sell.tariff.decimal().as_str(), sell.watts), ("0.3", 200));
    let told = told("[sell]\ntariff = 0.3\n");
    assert!(told.contains("credits a kilowatt-hour as text"), "{told}");
}

#[test]
fn counterparties_are_accounts_and_nodes_and_nothing_else() {
    let account = market::AccountId::from_bytes([5; 32]).to_string();
    let node = "ab".repeat(32);
    let settings = load(&format!("[buy]\nallow = [\"{account}\", \"{node}\"]\n"));
    let settings = settings.unwrap();
    let allowed = listed(&settings.config().buy.allow);
    assert_eq!((allowed.accounts.len(), allowed.nodes.len()), (1, 1));
    assert!(listed(&settings.config().buy.deny).is_empty());
    let told = load("[buy]\ndeny = [\"somebody\"]\n")
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("a list of accounts (night1...) and nodes"),
        "{told}"
    );
}
