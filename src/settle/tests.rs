//! The inquiry against a made-up exchange under virtual time: every order that it may take, lose or show late.

use std::io;

use proptest::prelude::*;

use super::*;
use crate::error::Phase;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(30);
/// When the order was stamped.
const TIME: u64 = 1_700_000_000_000;

fn lost() -> Error {
    Error::transport(Phase::Exchange, io::Error::from(io::ErrorKind::ConnectionReset))
}

fn order() -> Box<Order> {
    let json = r#"{"symbol":"A/B","orderQty":1,"orderType":"Limit","cumFilledQty":0,"orderId":"a1","seqNum":1,
        "side":"Buy","status":"New"}"#;
    Box::new(serde_json::from_str(json).unwrap())
}

fn inquiry(subject: Subject, deadline: Duration) -> Inquiry {
    Inquiry::new(subject, TIME, WINDOW, deadline, lost(), 7)
}

/// What a made-up exchange does. Its clock shows [`TIME`] and `ahead` at the beginning.
#[derive(Debug, Clone)]
struct World {
    subject: Subject,
    deadline: Duration,
    ahead: i64,
    /// When the order shows, if it was taken.
    shows: Option<Duration>,
    /// Whether its id is the one that was computed; else only the lists show it.
    id_is_right: bool,
    /// When an acknowledgement of another order shows that ids are as computed.
    sure: Option<Duration>,
    /// Of each question in turn: how long the way there and the way back take, and whether it fails.
    ways: Vec<(u64, u64, bool)>,
}

/// How an inquiry went: the verdict, when it came, and what was asked when.
#[derive(Debug)]
struct Course {
    verdict: Verdict,
    end: Duration,
    asked: Vec<(Question, Duration)>,
}

impl World {
    fn quiet(subject: Subject) -> Self {
        Self {
            subject,
            deadline: 60 * S,
            ahead: 0,
            shows: None,
            id_is_right: true,
            sure: Some(Duration::ZERO),
            ways: vec![(5, 5, false)],
        }
    }

    fn run(&self) -> Course {
        let mut inquiry = inquiry(self.subject, self.deadline);
        let mut now = Duration::ZERO;
        let mut asked = Vec::new();
        loop {
            match inquiry.next(now, self.sure.is_some_and(|at| now >= at)) {
                Next::End(verdict) => return Course { verdict, end: now, asked },
                Next::Wait(until) => {
                    assert!(until > now && until <= self.deadline, "{until:?} at {now:?}");
                    now = until;
                }
                Next::Ask(question) => {
                    let (there, back, fails) = self.ways[asked.len() % self.ways.len()];
                    let arrival = now + MS * u32::try_from(there).unwrap();
                    let answered = arrival + MS * u32::try_from(back).unwrap();
                    asked.push((question, now));
                    assert!(asked.len() < 1000, "{self:?}");
                    let reply = if fails { Err(lost()) } else { Ok(self.answer(question, arrival)) };
                    inquiry.heard(question, now, answered, reply);
                    now = answered;
                }
            }
        }
    }

    fn answer(&self, question: Question, at: Duration) -> Reply {
        let shows = self.shows.is_some_and(|shows| at >= shows);
        match question {
            Question::Time => Reply::Time(self.clock(at)),
            Question::Status if shows && self.id_is_right => Reply::Shows(order()),
            Question::Open if shows => Reply::Shows(order()),
            _ => Reply::Nothing,
        }
    }

    fn clock(&self, at: Duration) -> u64 {
        TIME.saturating_add_signed(self.ahead) + u64::try_from(at.as_millis()).unwrap()
    }
}

#[test]
fn an_order_that_shows_is_found_at_once() {
    let course = World { shows: Some(Duration::ZERO), ..World::quiet(Subject::Order) }.run();
    assert!(matches!(course.verdict, Verdict::Found(_)));
    assert_eq!(
        course.asked.iter().map(|(question, _)| *question).collect::<Vec<_>>(),
        [Question::Time, Question::Status]
    );
}

#[test]
fn not_showing_yet_is_no_proof_of_absence() {
    let course = World { shows: Some(29 * S), ..World::quiet(Subject::Order) }.run();
    assert!(matches!(course.verdict, Verdict::Found(_)), "{course:?}");
    assert!(course.end >= 29 * S && course.end < 35 * S);
}

#[test]
fn absent_only_with_two_late_negatives_and_both_lists_clear() {
    let world = World::quiet(Subject::Order);
    let course = world.run();
    assert!(matches!(course.verdict, Verdict::Absent));
    let late = |question| course.asked.iter().filter(|(asked, at)| *asked == question && *at > 32 * S - 5 * MS).count();
    assert_eq!((late(Question::Status), late(Question::Open), late(Question::Recent)), (2, 1, 1), "{course:?}");
    assert!(course.end < 34 * S, "no time is lost then: {course:?}");
    assert!(course.asked.len() < 30, "{course:?}");
}

#[test]
fn the_exchanges_clock_decides_what_is_late() {
    for (ahead, from, to) in [(-10_000, 42 * S, 44 * S), (10_000, 22 * S, 24 * S), (3_600_000, Duration::ZERO, 2 * S)] {
        let course = World { ahead, ..World::quiet(Subject::Order) }.run();
        assert!(matches!(course.verdict, Verdict::Absent));
        assert!(course.end >= from.saturating_sub(20 * MS) && course.end < to, "{ahead}: {course:?}");
    }
    // Without it nothing is certain.
    let mut inquiry = inquiry(Subject::Order, 100 * S);
    let mut now = Duration::ZERO;
    let verdict = loop {
        match inquiry.next(now, true) {
            Next::End(verdict) => break verdict,
            Next::Wait(until) => now = until,
            Next::Ask(Question::Time) => inquiry.heard(Question::Time, now, now, Err(lost())),
            Next::Ask(question) => inquiry.heard(question, now, now, Ok(Reply::Nothing)),
        }
    };
    assert!(matches!(verdict, Verdict::Unknown));
}

#[test]
fn a_wrong_id_is_found_in_the_lists_and_an_unsure_one_is_never_absent() {
    let other = World { shows: Some(Duration::ZERO), id_is_right: false, ..World::quiet(Subject::Order) };
    let course = other.run();
    assert!(matches!(course.verdict, Verdict::Found(_)) && course.end < 3 * S, "{course:?}");

    let course = World { sure: None, ..World::quiet(Subject::Order) }.run();
    assert!(matches!(course.verdict, Verdict::Unknown));
    assert_eq!(course.end, 60 * S);
    // It is asked on until another order shows that ids are right.
    let course = World { sure: Some(40 * S), ..World::quiet(Subject::Order) }.run();
    assert!(matches!(course.verdict, Verdict::Absent));
    assert!(course.end >= 40 * S && course.end < 47 * S);
}

#[test]
fn a_cancel_asks_for_the_status_alone() {
    let course = World::quiet(Subject::Cancel).run();
    assert!(matches!(course.verdict, Verdict::Absent));
    assert!(course.asked.iter().all(|(question, _)| matches!(question, Question::Time | Question::Status)));
}

#[test]
fn the_deadline_ends_it_with_why_the_answer_is_lost() {
    let mut none = inquiry(Subject::Order, Duration::ZERO);
    assert!(matches!(none.next(Duration::ZERO, true), Next::End(Verdict::Unknown)));
    assert_eq!(none.into_error().kind(), "transport");

    let mut inquiry = inquiry(Subject::Order, 10 * S);
    for question in [Question::Time, Question::Status] {
        assert!(matches!(inquiry.next(Duration::ZERO, true), Next::Ask(asked) if asked == question));
        inquiry.heard(question, Duration::ZERO, S, Err(Error::RateLimited(S)));
    }
    assert_eq!(inquiry.into_error().kind(), "transport", "what went wrong in asking says nothing of the order");
}

#[test]
fn a_server_that_asks_to_wait_is_given_the_time() {
    let mut inquiry = inquiry(Subject::Order, 100 * S);
    let busy = |wait| {
        Error::Http(Box::new(crate::error::HttpError {
            status: 429,
            body: String::new(),
            retry_after: Some(wait),
            location: None,
        }))
    };
    assert!(matches!(inquiry.next(S, true), Next::Ask(Question::Time)));
    inquiry.heard(Question::Time, S, S, Ok(Reply::Time(TIME)));
    assert!(matches!(inquiry.next(S, true), Next::Ask(Question::Status)));
    inquiry.heard(Question::Status, S, S, Err(busy(50 * S)));
    assert!(matches!(inquiry.next(S, true), Next::Wait(until) if until == 51 * S));
}

fn world() -> impl Strategy<Value = World> {
    let instant = (0u64..100_000).prop_map(Duration::from_millis);
    let way = (0u64..1500, 0u64..1500, prop::bool::weighted(0.3));
    (
        prop_oneof![Just(Subject::Order), Just(Subject::Cancel)],
        instant.clone(),
        -40_000i64..40_000,
        prop::option::of(0u64..=1),
        any::<bool>(),
        prop::option::of(instant),
        prop::collection::vec(way, 1..30),
        0.0f64..1.0,
    )
        .prop_map(|(subject, deadline, ahead, taken, id_is_right, sure, ways, when)| {
            // It is taken while the exchange's clock shows what it accepts, and shows within two seconds after that.
            let last = 30_000 + 2000 - ahead;
            let shows = taken.and(u64::try_from(last).ok()).map(|last| MS * ((last as f64 * when) as u32));
            // What was taken before the inquiry began shows from its beginning.
            let shows = if taken.is_some() { Some(shows.unwrap_or_default()) } else { None };
            let id_is_right = id_is_right || subject == Subject::Cancel;
            World { subject, deadline, ahead, shows, id_is_right, sure, ways }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_that_was_taken_is_ever_absent(world in world()) {
        let course = world.run();
        match course.verdict {
            Verdict::Absent => {
                prop_assert!(world.shows.is_none() && world.sure.is_some_and(|at| at <= course.end));
            }
            Verdict::Found(_) => prop_assert!(world.shows.is_some_and(|at| at <= course.end)),
            Verdict::Unknown => prop_assert!(course.end >= world.deadline),
        }
    }

    #[test]
    fn given_time_and_some_answers_it_becomes_certain(world in world()) {
        // Of eleven questions at the most ten fail, whatever their order in the rounds.
        let mut world = World { deadline: 2000 * S, sure: Some(Duration::ZERO), ..world };
        world.ways.truncate(10);
        world.ways.push((1, 1, false));
        prop_assume!(!world.ways.len().is_multiple_of(2) && !world.ways.len().is_multiple_of(3));
        let course = world.run();
        match (&course.verdict, world.shows) {
            (Verdict::Found(_), Some(_)) | (Verdict::Absent, None) => {}
            _ => prop_assert!(false, "{:?}", course),
        }
    }
}
