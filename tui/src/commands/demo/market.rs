//! Owns a market of child processes on loopback: started in order, watched until ready, stopped by id.
//!
//! Never leaves a child behind: each is asked to stop, then killed, also when the demo fails half-way.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use market::{Amount, PricePerHour};
use market_node::api::{ApiClient, BookView, IssueRequest, ProviderView, TxView};
use market_node::home::{Home, write_private};
use market_node::membership::JoinString;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::commands::{init, operator_init};
use crate::running::{is_offering, stop_signal};

/// How long a child may take to be ready; measuring a slow card is the longest part.
const READY: Duration = Duration::from_secs(90);

/// How long a child may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(15);

/// How often is looked whether something is ready.
const STEP: Duration = Duration::from_millis(100);

/// The loopback address, any free port.
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// What a market is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Prices of the providers, one each, in credits a GPU-hour.
    pub(crate) prices: Vec<&'static str>,
    /// Length of a payment tick in milliseconds.
    pub(crate) tick_ms: u32,
    /// Credits issued to the consumer.
    pub(crate) credits: &'static str,
}

impl Plan {
    /// The demo: two providers, ticks of a second.
    pub(crate) fn demo() -> Self {
        Self {
            prices: vec!["0.45", "0.20"],
            tick_ms: 1_000,
            credits: "10",
        }
    }
}

/// One child and the way to it.
#[derive(Debug)]
pub(crate) struct Member {
    child: Child,
    /// Its local API.
    pub(crate) api: ApiClient,
}

/// A running market.
#[derive(Debug)]
pub(crate) struct DemoMarket {
    /// The bootstrap peer and ledger.
    pub(crate) operator: Member,
    /// Those who sell, in the order of the plan's prices.
    pub(crate) providers: Vec<Member>,
    /// The one who buys.
    pub(crate) consumer: Member,
}

impl DemoMarket {
    /// Starts a market below `folder`, does `work` on it, and stops it. A signal ends starting and working alike.
    pub(crate) async fn run<T>(
        folder: &Path,
        plan: Plan,
        work: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut started = None;
        let result = tokio::select! {
            result = async {
                let market = started.insert(Self::start(folder, plan).await?);
                work(market).await
            } => result,
            signal = stop_signal() => signal.and(Err(anyhow::anyhow!("interrupted"))),
        };
        // A market that was not whole yet has been dropped, which kills its children.
        if let Some(market) = started {
            market.stop().await;
        }
        result
    }

    /// Starts everything below `folder` and returns when every offer stands in the consumer's book.
    async fn start(folder: &Path, plan: Plan) -> anyhow::Result<Self> {
        let (operator, join) = start_operator(folder)
            .await
            .context("starting the operator")?;
        let mut providers = Vec::new();
        for (number, price) in plan.prices.iter().enumerate() {
            // One after the other: two measurements at once would each see half a machine.
            let name = format!("provider-{}", number + 1);
            let provider = start_provider(folder, &name, &join, (price, plan.tick_ms)).await;
            providers.push(provider.with_context(|| format!("starting {name}"))?);
        }
        let consumer = start_consumer(folder, &join)
            .await
            .context("starting the consumer")?;
        let market = Self {
            operator,
            providers,
            consumer,
        };
        market
            .endow(plan.credits)
            .await
            .context("issuing credits")?;
        market.await_book(plan.prices.len()).await?;
        Ok(market)
    }

    /// Gives the consumer money to spend.
    async fn endow(&self, credits: &str) -> anyhow::Result<()> {
        let to = self.consumer.account().await?;
        let amount: Amount = credits.parse()?;
        let request = IssueRequest { to, amount };
        let _final: TxView = self
            .operator
            .api
            .post("/v1/operator/issue", &request)
            .await?;
        eprintln!("   consumer     {amount} issued by the operator");
        Ok(())
    }

    async fn await_book(&self, offers: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        loop {
            let book = self.consumer.api.get::<BookView>("/v1/book").await;
            match book {
                Ok(book) if book.asks.len() >= offers => return Ok(()),
                _ if Instant::now() < deadline => tokio::time::sleep(STEP).await,
                Ok(book) => anyhow::bail!("{} of {offers} offers arrived", book.asks.len()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stops all children, those who depend on others first.
    async fn stop(self) {
        self.consumer.stop().await;
        for provider in self.providers {
            provider.stop().await;
        }
        self.operator.stop().await;
    }
}

impl Member {
    /// Returns the account in whose name this member deals.
    pub(crate) async fn account(&self) -> anyhow::Result<market::AccountId> {
        let status: market_node::api::StatusView = self.api.get("/v1/status").await?;
        Ok(status.account)
    }

    async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
            let _gone = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            let _gone = self.child.kill().await;
        }
    }
}

async fn start_operator(folder: &Path) -> anyhow::Result<(Member, JoinString)> {
    let home = Home::at(folder.join("operator"))?;
    let founding = operator_init::Args {
        name: "nightshift-demo".to_owned(),
        issue_cap: "1000".parse()?,
        treasuries: Vec::new(),
        treasury_threshold: 1,
        transfer_fee: "0.0001".parse()?,
        open_fee: "0.0001".parse()?,
        channel_fee_bps: 100,
        challenge_seconds: 5,
    };
    operator_init::found(&home, &founding)?;
    write_private(&home.config(), b"[operator]\nblock_interval_ms = 1000\n")?;
    let mut command = command(&home, &["operator", "run", "--listen", LISTEN])?;
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("the operator has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(READY, lines.next_line())
        .await
        .context("the operator printed no join string")??;
    let line = line.with_context(|| last_words(&home))?;
    let join: JoinString = line.parse()?;
    let api = connect(&home, &mut child).await?;
    eprintln!("   operator     {}", join.address);
    Ok((Member { child, api }, join))
}

async fn start_provider(
    folder: &Path,
    name: &str,
    join: &JoinString,
    (price, tick_ms): (&str, u32),
) -> anyhow::Result<Member> {
    let home = Home::at(folder.join(name))?;
    init::join(&home, join.clone()).await?;
    let price: PricePerHour = price.parse()?;
    let config = format!(
        "[network]\nlisten = [\"{LISTEN}\"]\n[sell]\nprice = \"{}\"\ntick_ms = {tick_ms}\n",
        price.0.decimal()
    );
    write_private(&home.config(), config.as_bytes())?;
    let mut child = command(&home, &["up", "--provide"])?.spawn()?;
    let api = connect(&home, &mut child).await?;
    let view = await_offer(&api).await?;
    for gpu in &view.gpus {
        let gigaflops = gpu.gemm_mflops / 1_000;
        eprintln!(
            "   {name}   {} as {} ({gigaflops} GFLOP/s fp32 GEMM) for {price}",
            gpu.adapter, gpu.class
        );
    }
    Ok(Member { child, api })
}

async fn await_offer(api: &ApiClient) -> anyhow::Result<ProviderView> {
    let deadline = Instant::now() + READY;
    loop {
        let view: ProviderView = api.get("/v1/provider").await?;
        if is_offering(view.state) {
            return Ok(view);
        }
        anyhow::ensure!(Instant::now() < deadline, "it does not offer: {}", view.why);
        tokio::time::sleep(STEP).await;
    }
}

async fn start_consumer(folder: &Path, join: &JoinString) -> anyhow::Result<Member> {
    let home = Home::at(folder.join("consumer"))?;
    init::join(&home, join.clone()).await?;
    let mut child = command(&home, &["up", "--listen", LISTEN])?.spawn()?;
    let api = connect(&home, &mut child).await?;
    Ok(Member { child, api })
}

/// Prepares a child of this same program; what it logs goes to `log.txt` in its home.
fn command(home: &Home, arguments: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("finding this program")?;
    let log = File::create(home.path().join("log.txt")).context("making the log")?;
    let mut command = Command::new(program);
    command
        .arg("--home")
        .arg(home.path())
        .args(arguments)
        .env("NODEVICE_SELECT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // A group of its own: Ctrl-C reaches this program alone, which then stops the children in order.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

async fn connect(home: &Home, child: &mut Child) -> anyhow::Result<ApiClient> {
    let deadline = Instant::now() + READY;
    loop {
        match ApiClient::connect(home).await {
            Ok(client) => return Ok(client),
            Err(_) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("it ended with {status}. {}", last_words(home));
        }
    }
}

fn last_words(home: &Home) -> String {
    let log = std::fs::read_to_string(home.path().join("log.txt")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(5).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("Its last words: {}", lines.join(" / "))
}
