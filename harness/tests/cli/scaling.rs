//! The suite over numbers of workers, on as many as this host has: short trials, every part of the way.

use serde_json::Value;

use super::tale::Tale;

#[test]
fn the_suite_gives_a_curve_per_subject_and_says_what_it_proves() {
    let tale = Tale::new();
    let outcome = tale.run(&[
        "run",
        "scaling",
        "--subject",
        "zokio,ceiling",
        "--trials",
        "2",
        "--set",
        "defaults.measure.time=40ms",
        "--set",
        "defaults.warmup.time=5ms",
        "--format",
        "html,md",
        "--out",
        "out",
    ]);
    let result = tale.result("out");
    let shown = std::fs::read_to_string(tale.path("out/report.html")).expect("a page");
    let allowed = result["host"]["cpu"]["allowed"].as_array().expect("CPUs").len() as u64;
    let curves = result["scaling"]["curves"].as_array().expect("curves");
    assert_eq!(curves.len(), 4 * 2, "{outcome:?}");
    for curve in curves {
        let points = curve["points"].as_array().expect("points");
        let notes = curve["notes"].to_string();
        assert!(!points.is_empty() || notes.contains("left out"), "{curve}");
        for point in points {
            assert_eq!(point["cpus"].as_array().map(|cpus| cpus.len() as u64), point["workers"].as_u64(), "{point}");
        }
        let most = points.last().and_then(|point| point["workers"].as_u64()).unwrap_or(0);
        assert!(most == allowed || notes.contains("left out"), "{curve}");
        if points.len() == 2 {
            assert_eq!((&curve["model"]["beta"]["fixed"], &curve["model"]["beta"]["value"]), (&Value::from(true), &Value::from(0.0)));
            assert!(notes.contains("cannot be told apart"), "{notes}");
        }
    }
    assert!(outcome.stdout.contains("\nScaling\n") && shown.contains("class=\"scaling\""), "{}", outcome.stdout);
    if allowed < 8 {
        assert!(outcome.stdout.contains("proves little") && shown.contains("proves little"), "{}", outcome.stdout);
    }
    tale.run(&["report", "out", "--format", "md"]).exits(0);
}

#[test]
fn more_workers_than_cpus_are_refused_before_the_run() {
    let tale = Tale::new();
    tale.run(&["run", "scaling", "--set", "scenario.scale-spawn.placement.workers=8192"])
        .exits(3)
        .says("wants 8192 workers")
        .says("doubling");
    tale.run(&["run", "nap.toml", "--set", "scenario.nap.placement.workers=doubling"]).exits(2).says("axis of the matrix");
}
