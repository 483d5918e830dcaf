//! A ranking as one HTML file that works without a network: no script, no address, its pictures within it.

use std::path::Path;

use askama::Template;

use super::chart::{self, Bar};
use super::rows::{self, Reading, Row};
use super::words::{self, NOTHING, Scale};
use crate::base::Task;
use crate::base::path_text::{self, escape};
use crate::rank::usage::Usage;
use crate::rank::{Agreement, ModelStatus, RankedModel, Ranking, TrueAccuracy, Truth};

/// How many classes are named.
const CLASSES: usize = 60;

/// A ranking as one page. The page holds everything and asks for nothing; equal rankings give equal bytes.
///
/// # Errors
/// None that a ranking can cause: the template and the pictures are written to memory.
pub fn ranking(ranking: &Ranking) -> Result<String, askama::Error> {
    let page = Page::new(ranking).map_err(askama::Error::custom)?;
    Ok(page.render()? + "\n")
}

#[derive(Template)]
#[template(path = "ranking.html")]
struct Page {
    name: String,
    verdict: Vec<String>,
    metric: String,
    is_logme: bool,
    highlights: Vec<Fact>,
    facts: Vec<Fact>,
    /// Names of the metrics after the one that orders.
    other_metrics: Vec<String>,
    rows: Vec<Row>,
    tied: bool,
    scores: Scores,
    times: Option<String>,
    runs: Vec<Run>,
    classes: Vec<(String, String)>,
    more_classes: usize,
    usage: Option<UsageText>,
    truth: Option<TruthText>,
    failures: Vec<(String, String)>,
    skipped: Vec<(String, String)>,
    advice: Vec<String>,
    colours: [(&'static str, String); 5],
    version: &'static str,
}

/// A line of the summary.
struct Fact {
    name: &'static str,
    value: String,
    remark: String,
}

/// The picture of the scores.
struct Scores {
    picture: String,
    /// Whether the bars begin at the score of no features.
    from_no_features: bool,
    /// How many models are not in it, because they saw fewer samples.
    left_out: usize,
}

/// How a model was run.
struct Run {
    name: String,
    layer: String,
    features_from: String,
    runtime: String,
    multiply_adds: String,
    extraction: String,
    scoring: String,
}

/// The agreement with the truth: per metric over the real models and with the baselines, then each model's accuracy.
struct TruthText {
    kind: String,
    n: String,
    agreement: Vec<[String; 3]>,
    models: Vec<[String; 2]>,
}

/// How the best model is best used: the advice, each rule with its answer and what was measured, and each way that was run.
struct UsageText {
    model: String,
    advice: String,
    rules: Vec<[String; 3]>,
    confirmed: Vec<[String; 2]>,
}

impl Page {
    fn new(ranking: &Ranking) -> Result<Self, chart::Fault> {
        let rows = rows::rows(ranking);
        Ok(Self {
            name: data_name(ranking),
            verdict: ranking.verdict.lines().map(escape).collect(),
            metric: escape(words::metric_name(&ranking.metric)),
            is_logme: Scale::of(&ranking.metric, ranking.task) == Scale::Nats,
            highlights: highlights(ranking),
            facts: facts(ranking),
            other_metrics: rows::metrics(ranking)
                .iter()
                .skip(1)
                .map(|metric| escape(words::metric_name(metric)))
                .collect(),
            tied: rows.iter().any(|row| row.ties_next),
            rows,
            scores: scores(ranking)?,
            times: times(ranking)?,
            runs: ranking.models.iter().map(run).collect(),
            classes: classes(ranking).take(CLASSES).collect(),
            more_classes: ranking.data.class_names.len().saturating_sub(CLASSES),
            usage: ranking.usage.as_ref().map(usage),
            truth: ranking.truth.as_ref().map(truth),
            failures: rows::failures(ranking),
            skipped: ranking.skipped.iter().map(|skipped| (escape(&skipped.path), escape(&skipped.reason))).collect(),
            advice: ranking.advice.iter().map(|advice| escape(advice)).collect(),
            colours: chart::colours(),
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// The last part of the data set's path, which people call it by.
fn data_name(ranking: &Ranking) -> String {
    let path = &ranking.data.path;
    path_text::show(path.file_name().map_or(path.as_path(), Path::new))
}

fn highlights(ranking: &Ranking) -> Vec<Fact> {
    let data = &ranking.data;
    let samples = if data.available > data.n { format!("of {}", words::count(data.available)) } else { String::new() };
    let baselines = ranking.models.iter().filter(|model| model.baseline).count();
    let models = ranking.models.len() - baselines;
    let threads = words::things(ranking.timing.threads, "thread");
    vec![
        Fact { name: "Samples", value: words::count(data.n), remark: samples },
        Fact { name: outputs(ranking.task), value: words::count(data.classes), remark: String::new() },
        Fact {
            name: "Models",
            value: words::count(models),
            remark: format!("and {}", words::things(baselines, "baseline")),
        },
        Fact { name: "Run time", value: words::seconds(ranking.timing.seconds), remark: format!("on {threads}") },
    ]
}

fn outputs(task: Task) -> &'static str {
    match task {
        Task::Classification => "Classes",
        Task::Multilabel => "Labels",
        Task::Regression => "Targets",
    }
}

fn facts(ranking: &Ranking) -> Vec<Fact> {
    let data = &ranking.data;
    let passes = ranking.passes;
    let share = 100.0 * passes.spent as f64 / passes.full.max(1) as f64;
    let cost = format!(
        "{} of {} multiply-adds ({share:.0}%)",
        words::multiply_adds(passes.spent),
        words::multiply_adds(passes.full)
    );
    let fact = |name, value| Fact { name, value, remark: String::new() };
    vec![
        fact("Path", path_text::show(&data.path)),
        fact("Format", escape(&data.format)),
        fact("Splits used", escape(&data.split)),
        fact("Digest", escape(&data.digest)),
        fact("Forward passes", cost),
        fact("Seed", ranking.seed.0.to_string()),
    ]
}

/// The names of the classes and how many samples each has, where that is known.
fn classes(ranking: &Ranking) -> impl Iterator<Item = (String, String)> {
    let counts =
        ranking.data.class_counts.iter().map(|&count| words::count(count)).chain(std::iter::repeat(String::new()));
    ranking.data.class_names.iter().map(|name| escape(name)).zip(counts)
}

/// The ordering metric of every model that saw as many samples as the best did: scores at different numbers of
/// samples can't be compared.
fn scores(ranking: &Ranking) -> Result<Scores, chart::Fault> {
    let scale = Scale::of(&ranking.metric, ranking.task);
    let scored = || ranking.models.iter().filter(|model| model.status != ModelStatus::Failed);
    let most = scored().map(|model| model.n_seen).max().unwrap_or_default();
    let drawn: Vec<&RankedModel> = scored().filter(|model| model.n_seen == most).collect();
    let no_features = drawn.iter().find_map(|model| no_features(ranking, model));
    let bars: Vec<Bar> = drawn.iter().map(|model| score_bar(ranking, model, scale)).collect();
    let title = format!("{}{}", escape(words::metric_name(&ranking.metric)), scale.unit());
    Ok(Scores {
        picture: chart::bars(&title, no_features.unwrap_or_default(), &bars)?,
        from_no_features: no_features.is_some(),
        left_out: scored().count() - drawn.len(),
    })
}

/// The score that no features at all would have: the same for every model on the same samples.
fn no_features(ranking: &Ranking, model: &RankedModel) -> Option<f64> {
    let gain = model.scores.iter().find(|score| score.metric == ranking.metric)?.gain?;
    Some(model.score? - gain).filter(|origin| origin.is_finite())
}

fn score_bar(ranking: &Ranking, model: &RankedModel, scale: Scale) -> Bar {
    let reading = Reading::of(ranking, model, &ranking.metric);
    let factor = if scale == Scale::Accuracy { 100.0 } else { 1.0 };
    let text = reading.value.map(|value| scale.write(value));
    Bar {
        label: escape(&model.name),
        baseline: model.baseline,
        end: reading.value.map(|value| factor * value),
        whisker: reading.interval.map(|ends| ends.map(|end| factor * end)),
        text: text.or_else(|| reading.remark().map(str::to_owned)).unwrap_or_default(),
    }
}

/// How long each model takes, where that was measured.
fn times(ranking: &Ranking) -> Result<Option<String>, chart::Fault> {
    let bars: Vec<Bar> = ranking.models.iter().filter_map(time_bar).collect();
    if bars.is_empty() {
        return Ok(None);
    }
    chart::bars("seconds per 1,000 samples", 0.0, &bars).map(Some)
}

fn time_bar(model: &RankedModel) -> Option<Bar> {
    let seconds = 1000.0 / model.timing.items_per_second.filter(|&rate| rate > 0.0)?;
    Some(Bar {
        label: escape(&model.name),
        baseline: model.baseline,
        end: Some(seconds),
        whisker: None,
        text: words::seconds(seconds),
    })
}

fn run(model: &RankedModel) -> Run {
    let timing = model.timing;
    let seconds = |seconds: f64| or_nothing((seconds > 0.0).then(|| words::seconds(seconds)));
    let stored = if timing.from_store { " (stored)" } else { "" };
    Run {
        name: escape(&model.name),
        layer: escape(&model.layer),
        features_from: or_nothing(model.features_from.as_deref().map(escape)),
        runtime: or_nothing(model.runtime.as_deref().map(escape)),
        multiply_adds: or_nothing(model.multiply_adds.map(words::multiply_adds)),
        extraction: seconds(timing.extract_seconds) + stored,
        scoring: seconds(timing.score_seconds),
    }
}

fn usage(usage: &Usage) -> UsageText {
    UsageText {
        model: escape(&usage.model),
        advice: escape(&usage.advice),
        rules: usage
            .rules
            .iter()
            .map(|rule| [rule.question.to_owned(), words::answer(rule.holds).to_owned(), escape(&rule.measured)])
            .collect(),
        confirmed: usage.confirmed.iter().map(|run| [run.way.clone(), words::confirmed(run)]).collect(),
    }
}

fn truth(truth: &Truth) -> TruthText {
    let tau = |value: Option<f64>| or_nothing(value.map(|value| format!("{value:.2}")));
    let interval = |of: &Agreement| of.interval.map_or(String::new(), |[low, high]| format!(" [{low:.2}, {high:.2}]"));
    let agreement = |of: &Agreement| {
        [escape(words::metric_name(&of.metric)), tau(of.models) + &interval(of), tau(of.with_baselines)]
    };
    let accuracy =
        |of: &TrueAccuracy| [escape(&of.name), or_nothing(of.accuracy.map(|value| Scale::Accuracy.write(value)))];
    TruthText {
        kind: escape(&truth.kind),
        n: words::count(truth.n),
        agreement: truth.agreement.iter().map(agreement).collect(),
        models: truth.models.iter().map(accuracy).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::ranking;
    use crate::rank::{ModelStatus, Ranking};
    use crate::report::{chart, sample};

    /// The page of the sample after a change.
    fn page(change: impl FnOnce(&mut Ranking)) -> String {
        let mut changed = sample::ranking();
        change(&mut changed);
        ranking(&changed).unwrap()
    }

    #[test]
    fn equal_rankings_give_equal_bytes() {
        assert_eq!(page(|_| ()), page(|_| ()));
    }

    #[test]
    fn the_page_has_no_script_no_address_and_forbids_both() {
        let page = page(|_| ());
        for forbidden in
            ["<script", "http:", "https:", "//", "url(", "<link", "<img", "@import", " src=", " href=", " style="]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    }

    #[test]
    fn text_from_the_user_is_never_markup() {
        let page = page(|ranking| {
            let attack = sample::HOSTILE.to_owned();
            ranking.data.path = format!("data/{attack}").into();
            ranking.metric.clone_from(&attack);
            ranking.verdict.clone_from(&attack);
            ranking.advice = vec![attack.clone()];
            ranking.models[1].flags = vec![attack.clone()];
            ranking.models[1].runtime = Some(attack.clone());
            ranking.models[7].error = Some(attack.clone());
            ranking.skipped[0].path.clone_from(&attack);
            ranking.data.class_names[0] = attack;
            ranking.truth = Some(sample::truth());
        });
        assert!(!page.contains("<script") && !page.contains("<b>rose"));
        assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
        assert!(page.matches("&#60;script&#62;").count() >= 10);
    }

    #[test]
    fn every_colour_of_a_picture_can_be_replaced_by_the_page() {
        let page = page(|_| ());
        let named = chart::colours().map(|(_, colour)| colour);
        let used = page.split(" fill=\"#").chain(page.split(" stroke=\"#")).skip(1).filter_map(|rest| rest.get(..6));
        for colour in used.filter(|text| text.chars().all(|c| c.is_ascii_hexdigit())) {
            assert!(named.contains(&format!("#{colour}")), "#{colour}");
        }
    }

    #[test]
    fn scores_of_fewer_samples_are_left_out_of_the_picture_but_not_of_the_table() {
        let page = page(|ranking| {
            ranking.models[4].status = ModelStatus::Eliminated;
            ranking.models[4].n_seen = 480;
            ranking.models[4].name = "early".to_owned();
        });
        let (_, from_picture) = page.split_once("<svg").unwrap();
        let (picture, rest) = from_picture.split_once("</svg>").unwrap();
        assert!(!picture.contains("early") && rest.contains("<bdi>early</bdi>"));
        assert!(rest.contains("Not drawn: 1 stopped early") && rest.contains("stopped at 480 of 3,600"));
    }

    #[test]
    fn bars_of_logme_begin_at_no_features_where_the_gain_is_known() {
        let sentence = "Bars begin at the score of no features at all.";
        assert!(page(|_| ()).contains(sentence));
        let without = page(|ranking| {
            ranking.models.iter_mut().flat_map(|model| &mut model.scores).for_each(|score| score.gain = None);
        });
        assert!(!without.contains(sentence));
    }

    #[test]
    fn a_part_without_content_is_left_out() {
        let parts = [
            "Failed models",
            "Skipped",
            "What to do next",
            "Agreement with the truth",
            "Time of each model",
            "class=\"note\"",
        ];
        let full = page(|ranking| ranking.truth = Some(sample::truth()));
        let bare = page(|ranking| {
            ranking.models.truncate(1);
            ranking.models[0].timing.items_per_second = None;
            ranking.skipped.clear();
            ranking.advice.clear();
        });
        for part in parts {
            assert!(full.contains(part) && !bare.contains(part), "{part}");
        }
    }

    #[test]
    fn a_ranking_of_nothing_is_still_a_page() {
        assert!(page(|ranking| ranking.models.clear()).ends_with("</html>\n"));
    }

    #[test]
    fn a_thousand_classes_are_counted_and_sixty_named() {
        let page = page(|ranking| {
            ranking.data.class_names = (0..1000).map(|class| format!("class-{class}")).collect();
            ranking.data.class_counts = vec![3; 1000];
        });
        assert!(page.contains("class-59<") && !page.contains("class-60<") && page.contains("and 940 more"));
    }

    #[test]
    fn an_order_by_accuracy_is_drawn_in_percent_and_explained_without_logme() {
        let page = page(|ranking| ranking.metric = "knn".to_owned());
        assert!(page.contains("kNN, % of samples") && !page.contains("LogME is the log evidence"));
    }
}
