//! The server as its clients meet it: what an answer costs beside the least that it could cost, and what a cluster does.

pub mod answer;
pub mod bare;
pub mod cluster;
pub mod cluster_report;
pub mod connection;
pub mod cores;
pub mod curve;
pub mod http;
pub mod http_report;
pub mod load;
pub mod node;
pub mod process;
pub mod question;
pub mod redis;
pub mod seed;
pub mod statistic;
pub mod target;
