//! Load from one thread over raw sockets that stay open: each connection asks, waits for the whole answer, and asks again.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    answer::{self, Answer},
    connection::request,
    process::Process,
    question::{Question, State},
    seed::WRITTEN,
};

/// How many connections ask at once.
pub const CONNECTIONS: usize = 32;
/// How long no answer at all may come before the run is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// How fast to ask.
#[derive(Clone, Copy)]
pub enum Rate {
    /// Not at all; whoever writes, writes.
    Resting,
    /// As fast as answers come.
    Saturating,
    /// So many questions in a second, whether or not answers keep up. How long a question waited for a free connection counts.
    Steady(f64),
}

/// What else happens on the server meanwhile.
#[derive(Clone, Copy)]
pub enum Meanwhile {
    Nothing,
    /// So many changes in a second, and for how long before anything is asked. The thread that asks makes them: another one
    /// would keep it from asking now and then, and the server from answering many at once.
    Writes(u32, Duration),
}

/// What one run has measured.
pub struct Outcome {
    /// Answers in a second.
    pub throughput: f64,
    /// Seconds that the server computed for one answer.
    pub cost: f64,
    /// How long each answer took, in seconds, shortest first.
    pub latencies: Vec<f64>,
}

impl Outcome {
    pub fn latency(&self, quantile: f64) -> f64 {
        crate::statistic::quantile(&self.latencies, quantile)
    }
}

/// Asks `server` for `warm_up` and then for `measured`, of which the outcome tells: `questions` in their order, over and over.
pub fn run<'a>(
    server: &Process,
    questions: impl Iterator<Item = &'a Question> + Clone,
    rate: Rate,
    meanwhile: Meanwhile,
    warm_up: Duration,
    measured: Duration,
) -> Result<Outcome> {
    let mut load = Load::open(server.address, questions)?;
    if let Meanwhile::Writes(rate, before) = meanwhile {
        load.writer = Some(Writer::open(server.address, rate, &load.poll)?);
        load.ask_for(Rate::Resting, before)?;
    }
    load.ask_for(rate, warm_up)?;
    load.latencies.clear();
    let (began, before) = (Instant::now(), server.computed()?);
    load.ask_for(rate, measured)?;
    let (elapsed, computed) = (began.elapsed(), server.computed()? - before);
    let count = load.latencies.len() as f64;
    let mut latencies = load.latencies;
    latencies.sort_unstable_by(f64::total_cmp);
    Ok(Outcome { throughput: count / elapsed.as_secs_f64(), cost: computed as f64 / 1e9 / count, latencies })
}

struct Load<'a, Q> {
    poll: Poll,
    events: Events,
    lanes: Vec<Lane>,
    idle: VecDeque<usize>,
    questions: std::iter::Cycle<Q>,
    asked: Vec<Option<&'a Question>>,
    latencies: Vec<f64>,
    writer: Option<Writer>,
}

/// Somebody who makes changes at a steady rate.
struct Writer {
    lane: Lane,
    pause: Duration,
    /// When the next change is due.
    due: Instant,
    number: u32,
    is_waiting: bool,
}

struct Lane {
    stream: TcpStream,
    /// When the question that is under way was due.
    due: Instant,
    received: Vec<u8>,
}

impl<'a, Q: Iterator<Item = &'a Question> + Clone> Load<'a, Q> {
    fn open(address: SocketAddr, questions: Q) -> Result<Self> {
        let poll = Poll::new()?;
        let mut lanes = Vec::new();
        for place in 0..CONNECTIONS {
            lanes.push(Lane::open(address, Token(place), &poll)?);
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(CONNECTIONS),
            lanes,
            idle: (0..CONNECTIONS).collect(),
            questions: questions.cycle(),
            asked: vec![None; CONNECTIONS],
            latencies: Vec::new(),
            writer: None,
        })
    }

    fn ask_for(&mut self, rate: Rate, period: Duration) -> Result<()> {
        let began = Instant::now();
        let mut due = began;
        let mut heard = began;
        loop {
            let now = Instant::now();
            // What was due is asked, however late: a stall at the end counts like any other.
            let is_all_asked = !matches!(rate, Rate::Steady(_)) || due >= began + period;
            if now - began >= period && is_all_asked {
                break;
            }
            if let Some(writer) = &mut self.writer {
                writer.write_if_due(now)?;
            }
            match rate {
                Rate::Resting => {}
                Rate::Saturating => {
                    while let Some(place) = self.idle.pop_front() {
                        self.ask(place, Instant::now())?;
                    }
                }
                Rate::Steady(rate) => {
                    while due <= now
                        && due < began + period
                        && let Some(place) = self.idle.pop_front()
                    {
                        self.ask(place, due)?;
                        due += Duration::from_secs_f64(1.0 / rate);
                    }
                }
            }
            // A kernel's shortest sleep is longer than the pauses between questions.
            let wait = if matches!(rate, Rate::Saturating) { SILENCE } else { Duration::ZERO };
            if self.receive(wait)? > 0 || matches!(rate, Rate::Resting) {
                heard = Instant::now();
            } else if heard.elapsed() > SILENCE {
                bail!("the server does not answer");
            }
        }
        // What is under way is awaited, so that the next period begins with nothing due.
        let ended = Instant::now();
        while self.idle.len() < CONNECTIONS || self.writer.as_ref().is_some_and(|writer| writer.is_waiting) {
            self.receive(SILENCE)?;
            if ended.elapsed() > SILENCE {
                bail!("the server does not answer");
            }
        }
        Ok(())
    }

    fn ask(&mut self, place: usize, due: Instant) -> Result<()> {
        let (lane, question) = (&mut self.lanes[place], self.questions.next().context("no questions")?);
        lane.due = due;
        lane.received.clear();
        self.asked[place] = Some(question);
        // A request is small, and the buffer of a socket with nothing under way is empty.
        lane.stream.write_all(&question.request).context("send")
    }

    /// Takes what has arrived; says how many answers that completed.
    fn receive(&mut self, wait: Duration) -> Result<usize> {
        let Self { poll, events, lanes, idle, asked, latencies, writer, .. } = self;
        match poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            polled => polled?,
        }
        let before = latencies.len();
        for event in events.iter() {
            let place = event.token().0;
            if let Some(writer) = writer.as_mut().filter(|_| place == CONNECTIONS) {
                writer.is_waiting &= !writer.lane.is_acknowledged()?;
                continue;
            }
            let (lane, Some(question)) = (&mut lanes[place], asked[place]) else { continue };
            if lane.is_answered_with(&question.answer)? {
                latencies.push(lane.due.elapsed().as_secs_f64());
                asked[place] = None;
                idle.push_back(place);
            }
        }
        Ok(latencies.len() - before)
    }
}

impl Writer {
    fn open(address: SocketAddr, rate: u32, poll: &Poll) -> Result<Self> {
        let lane = Lane::open(address, Token(CONNECTIONS), poll)?;
        Ok(Self {
            lane,
            pause: Duration::from_secs(1) / rate,
            due: Instant::now(),
            number: 0,
            is_waiting: false,
        })
    }

    fn write_if_due(&mut self, now: Instant) -> Result<()> {
        if self.is_waiting || now < self.due {
            return Ok(());
        }
        let body = format!(r#"{{"enabled":{}}}"#, State::of_number(self.number));
        let change = request("PATCH", &format!("/features/{WRITTEN}/global"), &body);
        (self.number, self.due, self.is_waiting) = (self.number + 1, self.due + self.pause, true);
        self.lane.received.clear();
        self.lane.stream.write_all(&change).context("send a change")
    }
}

impl Lane {
    fn open(address: SocketAddr, token: Token, poll: &Poll) -> Result<Self> {
        let stream = std::net::TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, due: Instant::now(), received: Vec::with_capacity(4096) })
    }

    /// Whether the answer is whole now. Fails if it is not the one that is expected.
    fn is_answered_with(&mut self, expected: &[u8]) -> Result<bool> {
        let Some(answer) = self.answer()? else { return Ok(false) };
        if answer.status != 200 || answer.body != expected {
            let (found, expected) = (String::from_utf8_lossy(answer.body), String::from_utf8_lossy(expected));
            bail!("the answer is {} {found} where {expected} was expected", answer.status);
        }
        Ok(true)
    }

    /// Whether a change was answered. Fails if it was refused.
    fn is_acknowledged(&mut self) -> Result<bool> {
        let Some(answer) = self.answer()? else { return Ok(false) };
        if answer.status != 200 {
            bail!("a change was answered {} {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        Ok(true)
    }

    /// Takes what has arrived, and gives the answer if it is whole now.
    fn answer(&mut self) -> Result<Option<Answer<'_>>> {
        let mut portion = [0; 4096];
        loop {
            match self.stream.read(&mut portion) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => {
                    self.received.extend_from_slice(&portion[..length]);
                    // The socket has no more: a further look would cost a system call.
                    if length < portion.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("receive"),
            }
        }
        answer::parse(&self.received)
    }
}
