//! Options of `search`.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, ArgMatches, Args, Command, Id, ValueEnum};
use zoologist::search::{METHODS, Method};

use super::DataOptions;
use crate::limits::LimitOptions;

/// Options of `search`.
#[derive(Args)]
pub struct Search {
    /// What to search
    #[arg(value_name = "SPACE", required_unless_present = "table", requires = "data")]
    pub space: Option<SpaceName>,
    /// Samples with classes, as for `rank`; of chain and cells pictures
    pub data: Option<PathBuf>,
    /// The methods [default: duel; of a recipe top; of a table all that need no other fidelities]. A rule may say what each
    /// option keeps and which share of the evaluations teaches nothing: mean/floor:0.02/warm-up:0.2
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',')]
    pub methods: Vec<Method>,
    /// How many seeds, from --seed on [default: 1; of a table 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub seeds: Option<u32>,
    /// Of a table: evaluations, as 100,200 (the default). Of a chain or cells: how long all of it may take, as 15m; it sets
    /// --steps and --training-steps
    #[arg(long, value_name = "N,…|TIME", value_delimiter = ',', value_parser = amount)]
    pub budget: Vec<Amount>,
    /// Architectures that are searched by training
    #[command(flatten)]
    pub networks: NetworkOptions,
    /// A recipe
    #[command(flatten)]
    pub recipes: RecipeOptions,
    /// A table of what others trained
    #[command(flatten)]
    pub tabular: TableOptions,
    /// How a table of pictures is read
    #[command(flatten)]
    pub table_of_data: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// Options of searches that train.
#[derive(Args)]
#[command(next_help_heading = "Search of a chain or of cells")]
pub struct NetworkOptions {
    /// Channels of the first maps
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub channels: u16,
    /// The edge that pictures are brought to, a multiple of 4
    #[arg(long, value_name = "PIXELS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(8..=256))]
    pub size: u32,
    /// Use a seeded, stratified sample of N (beside a test split, if there is one)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(50..))]
    pub samples: Option<u32>,
    /// Steps of the shared weights [default: 600]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..))]
    pub steps: Option<u32>,
    /// The share of the steps in which paths are drawn evenly and nothing is learned of them
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    pub warm_up: f64,
    /// How long a path is trained before the next one is drawn
    #[arg(long, value_name = "HOW", default_value = "step")]
    pub path_per: PathPerName,
    /// Samples of a step [default: 128; of cells 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: Option<u16>,
    /// The learning rate, which rises over a tenth of the steps, then falls to 0 [default: 0.2; of cells 0.05]
    #[arg(long, value_name = "RATE", value_parser = super::positive)]
    pub learning_rate: Option<f64>,
    /// The most parameters of an architecture
    #[arg(long, value_name = "N", value_parser = super::positive)]
    pub max_params: Option<f64>,
    /// The most multiply-adds of an architecture for one picture
    #[arg(long, value_name = "N", value_parser = super::positive)]
    pub max_madds: Option<f64>,
    /// Steps of a training alone [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub training_steps: Option<u32>,
    /// How many times each architecture is trained alone
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub trainings: u32,
    /// Architectures that are drawn evenly and trained alone, and the largest, to compare with
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub drawn: u32,
    /// Search once more with shuffled labels, where nothing can be found
    #[arg(long)]
    pub shuffle_labels: bool,
    /// The folder to write the found network to: weights, settings, ONNX, a card. It must not exist
    #[arg(long, short, value_name = "DIR", conflicts_with = "table")]
    pub output: Option<PathBuf>,
    /// Write a page with the drawing and the history of the search
    #[arg(long, value_name = "FILE.html", conflicts_with = "table")]
    pub report: Option<PathBuf>,
}

/// What can be searched.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpaceName {
    /// Six layers, each of one of five operations that cost the same
    Chain,
    /// The cells of MdeNAS and DARTS
    Cells,
    /// Which model of a zoo, which layer, how normalised, which head, at which learning rate
    Recipe,
}

/// Options of `search recipe`.
#[derive(Args)]
#[command(next_help_heading = "Search of a recipe")]
pub struct RecipeOptions {
    /// The zoo
    #[arg(long, value_name = "ZOO", conflicts_with = "table")]
    pub zoo: Option<PathBuf>,
    /// Let recipes fine-tune too, the top half of a network or all of it (safetensors of a family that is built in): such an
    /// evaluation takes minutes, one of a head less than a second
    #[arg(long)]
    pub finetune: bool,
    /// Full evaluations; one on a share of the samples costs that share
    #[arg(long, value_name = "N", default_value_t = 12.0, value_parser = super::positive)]
    pub evaluations: f64,
    /// Evaluate every recipe, and compare all methods with these budgets, over --seeds seeds
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = super::positive)]
    pub compare: Vec<f64>,
}

/// How long a path is trained.
#[derive(Clone, Copy, ValueEnum)]
pub enum PathPerName {
    /// One step
    Step,
    /// One pass through the samples, as in the paper
    Epoch,
}

/// Options of searches of a table.
#[derive(Args)]
#[command(next_help_heading = "Search of a table")]
pub struct TableOptions {
    /// A CSV table of everything that was tried: every evaluation of a search is a look at it
    #[arg(long, value_name = "FILE.csv", conflicts_with = "space", requires = "choices", requires = "seen")]
    pub table: Option<PathBuf>,
    /// The columns of choices; a single one whose cells have equally many signs is cut into a choice per sign
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "table")]
    pub choices: Vec<String>,
    /// The columns that the search sees, one comparison each
    #[arg(long = "search", value_name = "COLUMN,…", value_delimiter = ',', requires = "table")]
    pub seen: Vec<String>,
    /// The columns that judge what was found, one for each of --search [default: the same]
    #[arg(long = "judge", value_name = "COLUMN,…", value_delimiter = ',', requires = "table")]
    pub judging: Vec<String>,
    /// A column of costs, to be summed up
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pub cost: Option<String>,
    /// Lower values are better
    #[arg(long, requires = "table")]
    pub minimise: bool,
    /// The method that the others are compared with, seed by seed
    #[arg(long, value_name = "METHOD", default_value = "local")]
    pub against: Method,
}

/// How much may be spent.
#[derive(Clone, Copy)]
pub enum Amount {
    /// So many evaluations.
    Evaluations(u32),
    /// So much time.
    Time(Duration),
}

/// Refuses options of another search than the one that was asked for, which would not do anything; `command` is that of
/// `search`.
pub fn refuse_foreign(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let foreign = match matches.get_one::<SpaceName>("space") {
        Some(SpaceName::Chain | SpaceName::Cells) => ["RecipeOptions", "TableOptions"],
        Some(SpaceName::Recipe) => ["NetworkOptions", "TableOptions"],
        None => ["NetworkOptions", "RecipeOptions"],
    };
    let is_shared = |id: &Id| id == "samples" && matches.get_one::<SpaceName>("space").is_some();
    let is_given = |id: &Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let groups = command.get_groups().filter(|group| foreign.contains(&group.get_id().as_str()));
    let found = groups.flat_map(ArgGroup::get_args).find(|id| is_given(id) && !is_shared(id)).cloned();
    let Some(found) = found else { return Ok(()) };
    let long = command.get_arguments().find(|argument| *argument.get_id() == found).and_then(|it| it.get_long());
    let message = format!("--{} does nothing in this search: leave it out", long.unwrap_or_else(|| found.as_str()));
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

impl Search {
    /// The methods that are compared on a table: those of one fidelity.
    pub fn methods_of_table(&self) -> Vec<Method> {
        let all = METHODS.iter().filter_map(|name| name.parse().ok());
        let all = if self.methods.is_empty() { all.collect() } else { self.methods.clone() };
        all.into_iter().filter(|method: &Method| !method.needs_fidelities()).collect()
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    let number = text.parse().ok().filter(|&number: &u32| number > 0).map(Amount::Evaluations);
    let found = number.map_or_else(|| super::duration(text).map(Amount::Time), Ok);
    found.map_err(|_| "give evaluations of a table, as 100,200, or a time with its unit, as 15m".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to below 1".to_owned())
}
