//! The program: flags, commands, and one clear sentence when something is wrong.

use std::{
    env,
    error::Error,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    pin::pin,
    process::{self, ExitCode},
};

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, parser::ValueSource,
};
use models::{Ambient, Timestamp};
use tokio::{net::TcpListener, sync::oneshot};
use tracing_subscriber::EnvFilter;

#[cfg(feature = "s3")]
use crate::BUCKET;
use crate::{
    DataDir, Front, Laptop, Ports, Producer, SendError, Source, data,
    greeting::{Files, Greeting},
    network, producer,
    reach::Reach,
    role, schedule, seed,
    server::{self, Signals},
    token,
};

/// Serve the API on this machine, with nothing else installed.
#[derive(Parser)]
#[command(name = "local-dev")]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    /// Where data is kept [default: .landline beside the workspace]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Args)]
struct Serve {
    /// The port of the API; 0 takes any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The name or address to listen on; 0.0.0.0 lets phones on the network in
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Keep everything in memory and nothing afterwards
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// Open the embedded store to the AWS CLI or the Lambda binary
    #[arg(long, value_name = "PORT")]
    store_port: Option<u16>,
    /// Open the embedded bucket to the AWS CLI, curl or a browser
    #[cfg(feature = "s3")]
    #[arg(long, value_name = "PORT")]
    s3_port: Option<u16>,
    /// What stands in front of the function in the cloud
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t = Source::HttpApi)]
    gateway: Source,
    /// The stage of the API [default: $default of an HTTP API, prod of a REST API]
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
}

#[cfg(feature = "s3")]
impl Serve {
    fn ports(&self) -> Ports {
        let port = |flag: Option<u16>| flag.unwrap_or_default();
        Ports { store: port(self.store_port), s3: port(self.s3_port) }
    }

    fn files<'a>(&self, laptop: &'a Laptop) -> Option<Files<'a>> {
        let endpoint = laptop.bucket.endpoint();
        self.s3_port.map(|_| Files { endpoint, bucket: BUCKET })
    }
}

#[cfg(not(feature = "s3"))]
impl Serve {
    fn ports(&self) -> Ports {
        Ports { store: self.store_port.unwrap_or_default(), ..Ports::default() }
    }

    fn files(&self, _: &Laptop) -> Option<Files<'static>> {
        None
    }
}

#[derive(Subcommand)]
enum Command {
    /// Empty the data directory
    Reset,
    /// Fill the store with two accounts and some notes
    Seed,
    /// Print an access token of an account, also while local-dev runs
    Token {
        /// The account's address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
    },
    /// Give an account a role, such as admin, also while local-dev runs
    Role {
        /// The account's address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// Take the role away instead
        #[arg(long)]
        remove: bool,
        /// The role
        role: String,
    },
    /// Run a schedule now, by the name of its function, also while local-dev runs
    RunSchedule {
        /// The function that the schedule calls
        name: String,
        /// The time that it is told, such as 2026-11-22T16:30:00Z [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Send a message to a queue that a module listens to, also while local-dev runs
    SendMessage {
        /// The queue
        queue: String,
        /// What it says: JSON, for most handlers
        body: String,
        /// Its message group, which a queue in order wants
        #[arg(long)]
        group: Option<String>,
    },
    /// Put a record into a stream that a module listens to, also while local-dev runs
    PutRecord {
        /// The stream
        stream: String,
        /// What it says: JSON, for most handlers
        data: String,
        /// What the order is kept within
        #[arg(long, value_name = "KEY")]
        partition_key: String,
    },
    /// Send what no event handler could do again, also while local-dev runs
    Replay {
        /// Which failures
        #[arg(default_value = "failures/")]
        prefix: String,
    },
    /// Print the OpenAPI document
    Openapi,
}

/// Run the program with this process's arguments.
#[expect(clippy::print_stderr, reason = "a program says on stderr why it failed")]
pub fn run() -> ExitCode {
    let cli = parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(execute(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Cli {
    let matches = Cli::command().get_matches();
    let only_serving = ["port", "host", "ephemeral", "store_port", "s3_port", "gateway", "stage"]
        .into_iter()
        .filter(|id| matches.try_contains_id(id).is_ok())
        .find(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
    if let (Some(flag), Some(command)) = (only_serving, matches.subcommand_name()) {
        let flag = flag.replace('_', "-");
        let message = format!("--{flag} is for serving and means nothing to `{command}`");
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

async fn execute(cli: Cli) -> Result<(), Box<dyn Error>> {
    let path = cli.data_dir.unwrap_or_else(data::default_path);
    match cli.command {
        None => serve(cli.serve, path).await,
        Some(Command::Reset) => reset(&path),
        Some(Command::Seed) => fill(&path).await,
        Some(Command::Token { email }) => print_token(&path, &email).await,
        Some(Command::Role { email, remove, role }) => {
            change_role(&path, &email, &role, remove).await
        }
        Some(Command::RunSchedule { name, at }) => run_schedule(&path, &name, at).await,
        Some(Command::SendMessage { queue, body, group }) => {
            producer::check_queue(&api::route_table(), &queue)?;
            let message = |to: &Producer| to.send_message(&queue, group.as_deref(), &body);
            produce(&path, "Sent", message).await
        }
        Some(Command::PutRecord { stream, data, partition_key }) => {
            producer::check_stream(&api::route_table(), &stream)?;
            let record = |to: &Producer| to.put_record(&stream, &partition_key, data.as_bytes());
            produce(&path, "Put", record).await
        }
        Some(Command::Replay { prefix }) => replay(&path, &prefix).await,
        Some(Command::Openapi) => say(&openapi::json()?),
    }
}

async fn serve(flags: Serve, path: PathBuf) -> Result<(), Box<dyn Error>> {
    let front = Front::new(flags.gateway, flags.stage.as_deref())?;
    log("info");
    let mut signals = Signals::listen()?;
    let data = (!flags.ephemeral).then_some(path);
    // On another thread: it blocks while it looks through the store.
    let starting = tokio::spawn(start(flags.host.clone(), flags.port, data, flags.ports()));
    let (listeners, laptop) = tokio::select! {
        started = starting => started?.map_err(|error| -> Box<dyn Error> { error })?,
        () = signals.next() => process::exit(INTERRUPTED),
    };
    let port = listeners.first().ok_or("the host has no address")?.local_addr()?.port();
    let greeting = Greeting {
        host: &flags.host,
        port,
        front: &front,
        laptop: &laptop,
        store_open: flags.store_port.is_some(),
        files: flags.files(&laptop),
    };
    say(&greeting.to_string())?;
    let (gateway, mailbox) = (laptop.gateway.clone().behind(front.clone()), laptop.mailbox.clone());
    let (stop, stopped) = oneshot::channel::<()>();
    let mut served = pin!(async move {
        server::serve(listeners, gateway, mailbox, async { drop(stopped.await) }).await;
        laptop.stop().await;
    });
    tokio::select! {
        () = &mut served => return Ok(()),
        () = signals.next() => drop(stop),
    }
    say("Stopping. Ctrl-C once more stops at once.\n")?;
    tokio::select! {
        () = &mut served => Ok(()),
        () = signals.next() => process::exit(INTERRUPTED),
    }
}

/// As a shell tells of a program that Ctrl-C has ended. It ends as by `kill -9`, which loses nothing
/// that was answered.
const INTERRUPTED: i32 = 130;

async fn start(
    host: String,
    port: u16,
    data: Option<PathBuf>,
    ports: Ports,
) -> Result<(Vec<TcpListener>, Laptop), Box<dyn Error + Send + Sync>> {
    let listeners = network::listen(&host, port).await?;
    let data = data.map(|path| DataDir::open(&path)).transpose()?;
    Ok((listeners, Laptop::start(data, ports).await?))
}

fn reset(path: &Path) -> Result<(), Box<dyn Error>> {
    if DataDir::reset(path)? {
        say(&format!("Emptied {}.\n", path.display()))
    } else {
        say(&format!("Nothing to empty: local-dev keeps nothing in {}.\n", path.display()))
    }
}

async fn fill(path: &Path) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open_alone(path).await?;
    let report = seed::fill(&reach.gateway()).await;
    reach.close().await;
    say(&report?)
}

/// The token alone, for `TOKEN=$(cargo run -q -p local-dev -- token --email maya@example.com)`.
async fn print_token(path: &Path, email: &str) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open(path).await?;
    let token = token::mint(&reach, email).await;
    reach.close().await;
    say(&format!("{}\n", token?))
}

async fn change_role(
    path: &Path,
    email: &str,
    role: &str,
    remove: bool,
) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open(path).await?;
    let report = role::change(&reach, email, role, remove).await;
    reach.close().await;
    say(&report?)
}

async fn run_schedule(
    path: &Path,
    name: &str,
    at: Option<Timestamp>,
) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open(path).await?;
    let report = schedule::run(&reach, path, name, at).await;
    reach.close().await;
    say(&report?)
}

/// Into the file of the local-dev that has the directory, or of this command, which leaves it there for
/// the next one, and says so.
async fn produce<T: Display>(
    path: &Path,
    done: &str,
    send: impl FnOnce(&Producer) -> Result<T, SendError>,
) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open(path).await?;
    let is_served = reach.is_served();
    let file = data::store_file(path);
    let sent = match Producer::open(&file, &api::route_table(), Ambient::system()) {
        Ok(producer) => send(&producer).map_err(Into::into),
        Err(error) => Err(Box::<dyn Error>::from(error)),
    };
    reach.close().await;
    say(&report(done, &sent?, path, is_served))
}

fn report(done: &str, id: &dyn Display, path: &Path, is_served: bool) -> String {
    if is_served {
        return format!("{done}: {id}\n");
    }
    format!("{done}: {id}\nNo local-dev serves {}; it waits there.\n", path.display())
}

async fn replay(path: &Path, prefix: &str) -> Result<(), Box<dyn Error>> {
    log("warn");
    let reach = Reach::open(path).await?;
    let report = schedule::replay(&reach, path, prefix).await;
    reach.close().await;
    say(&report?)
}

/// Logs go to stderr in lines for people. `RUST_LOG` says more or less.
fn log(default: &str) {
    let wanted = env::var("RUST_LOG").unwrap_or_else(|_| default.to_owned());
    // The embedded store warns of each condition that fails, which is how the app asks; S3's protocol
    // calls each request that is refused an error.
    let filter = EnvFilter::new(format!("dynoxide=error,s3s=off,{wanted}"));
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_target(false)
        .with_env_filter(filter)
        .init();
}

/// Print to stdout. A reader that has gone away, as in `| head`, is no error.
fn say(text: &str) -> Result<(), Box<dyn Error>> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::report;

    #[test]
    fn says_where_nobody_takes_what_was_sent() {
        let path = Path::new("data");

        assert_eq!(report("Sent", &7, path, true), "Sent: 7\n");
        let waits = "Sent: 7\nNo local-dev serves data; it waits there.\n";
        assert_eq!(report("Sent", &7, path, false), waits);
    }
}
