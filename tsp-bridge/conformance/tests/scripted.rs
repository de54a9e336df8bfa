//! The suite on the scripted provider: as an exchange, moved by itself and step by step, with less than all its verbs,
//! and by scripts.

use offhook_conformance::{Exchange, Outcome, Report, Rule, run};
use offhook_scripted::{Drive, ScriptedConfig, SwitchConfig};
use offhook_spi::CallFeatures;

fn report(config: ScriptedConfig) -> Report {
    let (provider, mut harness) = Exchange::new(config);
    let report = run(provider, &mut harness);
    assert!(report.passed(), "{report}");
    report
}

fn not_applicable(report: &Report) -> Vec<&'static str> {
    let gone = |line: &&offhook_conformance::Line| matches!(line.outcome, Outcome::NotApplicable(_));
    report.lines.iter().filter(gone).map(|line| line.rule).collect()
}

#[test]
fn an_exchange_keeps_every_rule() {
    let report = report(ScriptedConfig::switch(3));
    // Its completions come before its requests return: nothing is ever outstanding.
    assert_eq!(not_applicable(&report), ["close.outstanding"], "{report}");
}

#[test]
fn so_it_does_step_by_step() {
    let report = report(ScriptedConfig { drive: Drive::Stepped, ..ScriptedConfig::switch(3) });
    assert_eq!(not_applicable(&report), [""; 0], "{report}");
}

#[test]
fn an_exchange_without_verbs_says_so() {
    let switch = Some(SwitchConfig { phone: false, extension: None, ..SwitchConfig::default() });
    let features = CallFeatures::NONE;
    let report = report(ScriptedConfig { switch, features, has_msp: false, ..ScriptedConfig::switch(2) });
    for rule in [Rule::Hold, Rule::Transfer, Rule::Conference, Rule::Park, Rule::Accept, Rule::OpaqueStart] {
        assert!(matches!(report.outcome(rule), Some(Outcome::NotApplicable(_))), "{rule:?}\n{report}");
    }
    for rule in [Rule::CapsBits, Rule::MspIdentity, Rule::ExtVersion, Rule::Phone] {
        assert_eq!(report.outcome(rule), Some(&Outcome::Ok), "{rule:?}\n{report}");
    }
}

#[test]
fn each_verb_alone_is_enough() {
    for (bit, name) in CallFeatures::NAMES {
        let all = CallFeatures::from_bits(u32::MAX);
        for features in [*bit, all.without(*bit)] {
            let (provider, mut harness) =
                Exchange::new(ScriptedConfig { features, ..ScriptedConfig::switch(3) });
            let report = run(provider, &mut harness);
            assert!(report.passed(), "{name}: {report}");
        }
    }
}

#[test]
fn a_report_is_a_text_and_a_json_object() {
    let report = report(ScriptedConfig::switch(1));
    let text = report.to_string();
    assert!(text.starts_with("scripted\nok     version.common"), "{text}");
    assert!(text.lines().last().is_some_and(|line| line.contains(" ok, 0 failed, ")), "{text}");
    let json = report.to_json().unwrap();
    assert!(
        json.contains(r#""rule":"make.completes","says":"MakeCall completes no later than PROCEEDING""#),
        "{json}"
    );
    assert!(json.contains(r#""outcome":"ok""#) && json.contains(r#""outcome":"not-applicable","why":""#));
}

#[test]
fn the_documentation_has_every_rule() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");
    let text = std::fs::read_to_string(path).unwrap();
    let told: Vec<_> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule ")).collect();
    let row = |rule: &Rule| format!("| {} | {} | {} |", rule.id(), rule.says(), rule.reference());
    assert_eq!(told, Rule::ALL.iter().map(row).collect::<Vec<_>>());
}
