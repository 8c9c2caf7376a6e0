//! `serenade-peer CLICKS SESSIONS NEIGHBOURS COUNT`: an index of the clicks, then for each line on stdin all sessions answered
//! on this thread. Told on stdout, a line each time: "ready", then the nanoseconds of CPU time that each answer took.

use serenade::vmisknn::predict;
use serenade::vmisknn::vmis_index::VMISIndex;
use std::hint::black_box;
use std::io::{stdin, BufRead};

#[repr(C)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Time) -> i32;
}

const THREAD_CPU: i32 = 3;

fn cpu_ns() -> i64 {
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(THREAD_CPU, &mut time) };
    time.seconds * 1_000_000_000 + time.nanoseconds
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (neighbours, count) = (arguments[3].parse().unwrap(), arguments[4].parse().unwrap());
    let index = VMISIndex::new_from_csv(&arguments[1], neighbours, 1.0);
    let sessions: Vec<Vec<u64>> = std::fs::read_to_string(&arguments[2])
        .unwrap()
        .lines()
        .map(|line| line.split(' ').map(|item| item.parse().unwrap()).collect())
        .collect();
    println!("ready");
    for _ in stdin().lock().lines() {
        let mut told = String::new();
        for session in &sessions {
            let began = cpu_ns();
            black_box(predict(&index, session, neighbours, neighbours, count, false).into_sorted_vec());
            told += &format!("{} ", cpu_ns() - began);
        }
        println!("{}", told.trim_end());
    }
}
