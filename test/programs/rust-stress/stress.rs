// What Rust's standard library does of its own: stress WAY.
use std::collections::HashMap;
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

fn threads() {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let all: Vec<_> = (0..16)
        .map(|number| {
            let pair = Arc::clone(&pair);
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || {
                    let blocks: Vec<Vec<u8>> = (0..200).map(|size| vec![1; size * 1000]).collect();
                    *pair.0.lock().unwrap() += blocks.len();
                    pair.1.notify_all();
                    thread::park_timeout(Duration::from_millis(1));
                    thread::yield_now();
                })
                .unwrap()
        })
        .collect();
    let mut sum = pair.0.lock().unwrap();
    while *sum < 1600 {
        sum = pair.1.wait_timeout(sum, Duration::from_millis(5)).unwrap().0;
    }
    drop(sum);
    for one in all {
        one.thread().unpark();
        one.join().unwrap();
    }
    thread::available_parallelism().unwrap();
}

fn channels() {
    let (send, receive) = mpsc::channel();
    let sender = thread::spawn(move || (0..1000).for_each(|n| send.send(n).unwrap()));
    println!("{}", receive.iter().sum::<i32>());
    sender.join().unwrap();
    let _ = thread::spawn(|| panic!("in a thread")).join();
}

fn recurse(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 1000]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + block[3] }
}

fn main() {
    let way = std::env::args().nth(1).unwrap_or_default();
    let map: HashMap<i32, String> = (0..1000).map(|n| (n, n.to_string())).collect();
    match way.as_str() {
        "threads" => threads(),
        "channels" => channels(),
        "blocks" => println!("{}", (1..30).map(|n| vec![n as u8; 1 << (n % 26)].len()).sum::<usize>()),
        "caught" => println!("{}", std::panic::catch_unwind(|| panic!("caught")).is_err()),
        "panic" => panic!("at the end"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "overflow" => println!("{}", recurse(map.len() as u64)),
        "times" => println!("{:?} {:?}", std::time::Instant::now(), std::time::SystemTime::now()),
        _ => println!("done {}", map.len()),
    }
}
