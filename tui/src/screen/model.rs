//! Owns what the screen knows, what can happen to it, and what it can ask for.
//!
//! Never changes anything; `update` does.

use market::AgreementId;
use market::gpu::GpuClass;
use market_node::api::{ProviderState, ProviderView, StatusView};

use super::market::{MarketModel, MarketNews, Subject};
use crate::plot::Series;
use crate::privacy;

/// One of the screens between which a person goes to and fro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// This node: its state, earnings and work.
    Home,
    /// What everybody offers, wants and traded.
    Market,
}

impl Page {
    /// All, in the order of their keys, which begin with 1.
    pub(crate) const ALL: [Self; 2] = [Self::Home, Self::Market];

    /// Returns the name on the line of keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::Market => "Market",
        }
    }

    /// Returns the one so many further on; behind the last comes the first.
    fn after(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|page| *page == self);
        let next = (at.unwrap_or(0) + steps) % Self::ALL.len();
        Self::ALL.get(next).copied().unwrap_or(self)
    }

    /// Returns the next one.
    pub(crate) fn next(self) -> Self {
        self.after(1)
    }

    /// Returns the one before.
    pub(crate) fn previous(self) -> Self {
        self.after(Self::ALL.len() - 1)
    }
}

/// Whose process the node runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// This one: the node ends with the screen.
    Here,
    /// Another one, which goes on.
    Elsewhere,
}

/// What a node does that this process starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trade {
    /// It sells this machine, and buys.
    Sells,
    /// It buys and watches.
    Buys,
}

/// What is known of the node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// It is being started or asked for the first time.
    Starting,
    /// It answered last time.
    Live(Box<StatusView>),
    /// It does not answer, and why.
    Lost(String),
    /// It could not be started in this process, and why.
    Failed(String),
}

/// What lies over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Nothing.
    None,
    /// The list of keys.
    Help,
    /// The question whether the node goes on without the screen.
    ConfirmQuit,
}

/// Everything that the screen shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// Whose process the node runs in.
    pub(crate) host: Host,
    /// What the node does, where it is started here.
    pub(crate) trade: Trade,
    /// What is known of the node.
    pub(crate) node: Node,
    /// Losses of the running lease, as polled.
    pub(crate) losses: Series,
    /// The lease and the step that the last loss belongs to.
    pub(crate) last_loss: Option<(AgreementId, Option<(u64, u64)>)>,
    /// The answer to the last key.
    pub(crate) notice: Option<String>,
    /// What lies over the screen.
    pub(crate) overlay: Overlay,
    /// Which screen is shown.
    pub(crate) page: Page,
    /// What the market screen knows.
    pub(crate) market: MarketModel,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Msg {
    /// The node answered.
    Status(Box<StatusView>),
    /// The node did not answer.
    Lost(String),
    /// The node of this process could not be started.
    NotStarted(String),
    /// The node paused or resumed selling.
    Acted(Box<ProviderView>),
    /// The node refused to.
    Refused(String),
    /// The node told about the market, or did not.
    Market(Box<MarketNews>),
    /// A key was pressed.
    Key(Key),
    /// The window changed.
    Redraw,
    /// The system asks the program to end.
    Terminate,
}

/// The keys that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// `p`: pause or resume selling.
    Pause,
    /// `q`: leave.
    Quit,
    /// `?`: the list of keys.
    Help,
    /// `k`: keep the node, where that is asked; in a list the same as up.
    Keep,
    /// A number: the screen with it.
    Page(Page),
    /// Tab: the next screen.
    NextPage,
    /// Shift and Tab: the screen before.
    PreviousPage,
    /// Arrow up: the row above.
    Up,
    /// Arrow down or `j`: the row below.
    Down,
    /// `i`: the next span of candles.
    Interval,
    /// Ctrl-C: leave without a question.
    Interrupt,
    /// Any other.
    Other,
}

/// What the screen asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Stop selling at once.
    Pause,
    /// Sell again.
    Resume,
    /// Ask for the market again and again, or no more.
    Watch(Option<Subject>),
    /// End the screen, and with it a node that lives here.
    Quit,
    /// End the screen alone; the node goes on in this terminal.
    Keep,
}

/// How a person left the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// A node that lives in this process is to stop.
    Stop,
    /// It is to go on.
    Keep,
}

impl Model {
    /// Begins before the node answered.
    pub(crate) fn new(host: Host) -> Self {
        Self {
            host,
            trade: Trade::Buys,
            node: Node::Starting,
            losses: Series::default(),
            last_loss: None,
            notice: None,
            overlay: Overlay::None,
            page: Page::Home,
            market: MarketModel::new(),
        }
    }

    /// Returns the node's view, where it answered last time.
    pub(crate) fn status(&self) -> Option<&StatusView> {
        match &self.node {
            Node::Live(status) => Some(status),
            Node::Starting | Node::Lost(_) | Node::Failed(_) => None,
        }
    }

    /// Returns how selling goes, where the node sells.
    pub(crate) fn provider(&self) -> Option<&ProviderView> {
        self.status()?.provider.as_ref()
    }

    /// Returns the classes of this machine's GPUs, where it sells.
    pub(crate) fn own_classes(&self) -> Vec<GpuClass> {
        let gpus = self.provider().map(|provider| provider.gpus.as_slice());
        let gpus = gpus.unwrap_or_default().iter();
        gpus.map(|gpu| gpu.class).collect()
    }

    /// Returns whether the node earns, offers to, or runs a bought job.
    pub(crate) fn is_busy(&self) -> bool {
        let sells = self
            .provider()
            .is_some_and(|provider| crate::running::is_offering(provider.state));
        sells || self.buys()
    }

    fn buys(&self) -> bool {
        let jobs = self.status().map(|status| status.jobs.as_slice());
        let mut jobs = jobs.unwrap_or_default().iter();
        jobs.any(|job| job.outcome.is_none())
    }

    /// Returns the one word for how things are.
    pub(crate) fn state_word(&self) -> &'static str {
        let status = match &self.node {
            Node::Starting => return "Starting",
            Node::Lost(_) | Node::Failed(_) => return "Offline",
            Node::Live(status) => status,
        };
        match &status.provider {
            Some(provider) => crate::words::selling(provider.state),
            None if self.buys() => "Buying",
            None => "Watching",
        }
    }

    /// Returns why nothing is earned, or what goes on instead; empty while earning.
    pub(crate) fn why(&self) -> String {
        let status = match (&self.node, self.host) {
            (Node::Starting, Host::Here) => {
                return match self.trade {
                    Trade::Sells => privacy::SELLING_SHORT.to_owned(),
                    Trade::Buys => "The node starts in this window.".to_owned(),
                };
            }
            (Node::Starting, Host::Elsewhere) => return "Asking the node.".to_owned(),
            (Node::Lost(why) | Node::Failed(why), _) => return why.clone(),
            (Node::Live(status), _) => status,
        };
        match &status.provider {
            Some(provider) if provider.state == ProviderState::Earning => String::new(),
            Some(provider) => provider.why.clone(),
            None => "This node buys and watches; `nightshift up --provide` sells.".to_owned(),
        }
    }
}
