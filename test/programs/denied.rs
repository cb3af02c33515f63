// Makes calls that a policy denies, each once, through the standard library.
use std::{fs, net, os::unix, process, env};
fn main() {
    let _ = fs::create_dir("/nowhere/a");
    let _ = fs::remove_dir("/nowhere/a");
    let _ = fs::remove_file("/nowhere/a");
    let _ = fs::rename("/nowhere/a", "/nowhere/b");
    let _ = unix::fs::symlink("/nowhere/a", "/nowhere/b");
    let _ = unix::fs::chroot("/nowhere");
    let _ = env::set_current_dir("/nowhere");
    let _ = net::TcpListener::bind("127.0.0.1:0");
    let _ = unix::process::parent_id();
    process::exit(0);
}
