use std::{
    ffi::OsStr,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Client, Door, Outcome,
    programs::{TOO_LONG, program},
};

/// The built `local-dev`, up and serving on a port of the system's choice. It is killed when this
/// is dropped.
pub struct LocalDev {
    child: Child,
    address: SocketAddr,
    /// What it has said until it was up.
    pub greeting: String,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
}

impl LocalDev {
    /// Start it in this folder with these arguments, and wait until it says that it is up.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start<A: AsRef<OsStr>>(
        folder: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut child = Command::new(program("local-dev"))
            .args(["--port", "0"])
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("local-dev starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = tokio::spawn(all(child.stderr.take().expect("piped")));
        let greeting = timeout(TOO_LONG, until_it_is_up(&mut stdout)).await.expect("it comes up");
        let Some(port) = port(&greeting) else {
            panic!("{greeting}\n{}", stderr.await.unwrap_or_default());
        };
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Self { child, address, greeting, stdout, stderr }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The way in.
    pub fn door(&self) -> Door {
        Door::Http(self.address)
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.door())
    }

    /// The most memory that it has had so far, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    #[cfg(target_os = "linux")]
    pub fn most_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux says it in kB") * 1024
    }

    /// Send it a signal by name, `TERM` or `INT`, and wait until it has ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end_with(mut self, signal: &str) -> Outcome {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().await;
        assert!(sent.expect("sh runs").success(), "the signal was sent");
        self.ended().await
    }

    /// `kill -9`, and wait until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn kill(mut self) -> Outcome {
        self.child.start_kill().expect("it runs");
        self.ended().await
    }

    async fn ended(&mut self) -> Outcome {
        let status = timeout(TOO_LONG, self.child.wait()).await.expect("it ends").expect("a child");
        let mut stdout = self.greeting.clone();
        self.stdout.read_to_string(&mut stdout).await.expect("it speaks UTF-8");
        let stderr = (&mut self.stderr).await.expect("reading does not panic");
        Outcome { code: status.code(), stdout, stderr }
    }
}

async fn until_it_is_up(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut greeting = String::new();
    while !greeting.contains("Try it:") {
        if stdout.read_line(&mut greeting).await.expect("it speaks UTF-8") == 0 {
            break;
        }
    }
    greeting
}

async fn all(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    drop(stderr.read_to_end(&mut text).await);
    String::from_utf8_lossy(&text).into_owned()
}

/// From the line `  API       http://localhost:54321`.
fn port(greeting: &str) -> Option<u16> {
    let line = greeting.lines().find_map(|line| line.trim().strip_prefix("API "))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
