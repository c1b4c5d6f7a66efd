//! The proxy between a client and a server that says everything back.

use tokio::time::timeout;

use super::*;

/// As long as anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// As long as one waits for what must not happen.
const MOMENT: Duration = Duration::from_millis(150);

async fn echo() -> (Proxy, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let proxy = Proxy::start_counting(port, "load").await.unwrap();
    let client = connect(&proxy).await;
    (proxy, client)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap()
}

async fn hears(client: &mut TcpStream, word: &str) {
    let mut heard = vec![0; word.len()];
    timeout(PATIENCE, client.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, word.as_bytes());
}

async fn hears_nothing(client: &mut TcpStream) {
    assert!(timeout(MOMENT, client.read_u8()).await.is_err());
}

#[tokio::test]
async fn what_is_held_arrives_when_the_weather_is_fair_again() {
    for weather in [Weather::silent(), Weather::deaf(), Weather::mute()] {
        let (proxy, mut client) = echo().await;
        client.write_all(b"one").await.unwrap();
        hears(&mut client, "one").await;
        proxy.set(weather);
        client.write_all(b"two").await.unwrap();
        hears_nothing(&mut client).await;
        proxy.set(Weather::fair());
        hears(&mut client, "two").await;
    }
}

#[tokio::test]
async fn a_silent_link_accepts_and_never_answers() {
    let (proxy, _) = echo().await;
    proxy.set(Weather::silent());
    let mut client = connect(&proxy).await;
    client.write_all(b"hello").await.unwrap();
    hears_nothing(&mut client).await;
}

#[tokio::test]
async fn latency_delays_and_a_rate_holds_back() {
    let (proxy, mut client) = echo().await;
    proxy.set(Weather::slow(Duration::from_millis(60)));
    let asked = Instant::now();
    client.write_all(b"one").await.unwrap();
    hears(&mut client, "one").await;
    assert!(asked.elapsed() >= Duration::from_millis(120), "{:?}", asked.elapsed());
    let trickle = Flow { rate: Some(10_000), ..Flow::default() };
    proxy.set(Weather { to_store: trickle, ..Weather::fair() });
    let asked = Instant::now();
    client.write_all(&[b'x'; 3_000]).await.unwrap();
    hears(&mut client, &"x".repeat(3_000)).await;
    assert!(asked.elapsed() >= Duration::from_millis(180), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn connections_end_as_they_are_told_to() {
    for (ending, is_reset) in [(Ending::Close, false), (Ending::Reset, true)] {
        let (proxy, mut client) = echo().await;
        client.write_all(b"one").await.unwrap();
        hears(&mut client, "one").await;
        proxy.end_all(ending);
        let ended = timeout(PATIENCE, client.read_u8()).await.unwrap().unwrap_err();
        assert_eq!(ended.kind() == io::ErrorKind::ConnectionReset, is_reset, "{ending:?}: {ended}");
        // The next one is let through.
        let mut client = connect(&proxy).await;
        client.write_all(b"two").await.unwrap();
        hears(&mut client, "two").await;
    }
    let (proxy, _) = echo().await;
    proxy.set(Weather::down());
    // The reset may come before the attempt to connect has ended.
    if let Ok(mut client) = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await {
        assert!(timeout(PATIENCE, client.read_u8()).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_slow_close_keeps_the_connection_open_for_a_while() {
    let (proxy, mut client) = echo().await;
    let close_delay = Duration::from_millis(200);
    proxy.set(Weather { close_delay, ..Weather::fair() });
    let asked = Instant::now();
    client.shutdown().await.unwrap();
    assert!(timeout(PATIENCE, client.read_u8()).await.unwrap().is_err());
    assert!(asked.elapsed() >= close_delay);
}

#[tokio::test]
async fn a_phrase_is_counted_wherever_it_is_cut() {
    let (proxy, mut client) = echo().await;
    for part in ["a load, a lo", "ad", "l", "oad", "loadload"] {
        client.write_all(part.as_bytes()).await.unwrap();
        hears(&mut client, part).await;
    }
    assert_eq!(proxy.counted(), 5);
}
