use std::{
    ffi::OsStr,
    io::pipe,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    Client, Door, Outcome,
    programs::{Said, TOO_LONG, program},
    watch,
};

/// The built `local-dev`, up and serving on a port of the system's choice. It is killed when this
/// is dropped.
pub struct LocalDev {
    child: Child,
    address: SocketAddr,
    /// What it has said until it was up.
    pub greeting: String,
    stdout: BufReader<ChildStdout>,
    stderr: Said,
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
        Self::start_in(folder, arguments, &[]).await
    }

    /// [`start`](Self::start) it in this environment.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_in<A: AsRef<OsStr>>(
        folder: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Self {
        let (log, into_log) = pipe().expect("a pipe");
        let mut child = Command::new(program("local-dev"))
            .args(["--port", "0"])
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            // As much as it says without being asked for secrets, to be looked through for them.
            .env("RUST_LOG", "debug")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(into_log)
            .kill_on_drop(true)
            .spawn()
            .expect("local-dev starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = Said::through(log);
        let greeting = timeout(TOO_LONG, until_it_is_up(&mut stdout)).await.expect("it comes up");
        let Some(port) = port(&greeting) else {
            panic!("{greeting}\n{}", stderr.whole());
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

    /// Send it a signal by name, `TERM` or `INT`, and give the next line that it says, blank ones left
    /// out.
    ///
    /// # Panics
    /// When it says nothing.
    pub async fn says_at(&mut self, signal: &str) -> String {
        self.send(signal).await;
        loop {
            let mut line = String::new();
            let read = timeout(TOO_LONG, self.stdout.read_line(&mut line)).await;
            let read = read.expect("it says something").expect("it speaks UTF-8");
            if read == 0 || !line.trim().is_empty() {
                return line;
            }
        }
    }

    /// Send it a signal by name, `TERM` or `INT`, and wait until it has ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end_with(mut self, signal: &str) -> Outcome {
        self.send(signal).await;
        self.ended().await
    }

    async fn send(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().await;
        assert!(sent.expect("sh runs").success(), "the signal was sent");
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
        let stderr = self.stderr.whole();
        watch::check_text("what local-dev says", &stdout);
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

impl Drop for LocalDev {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.start_kill());
        self.stderr.check("local-dev");
    }
}

/// From the line `  API       http://localhost:54321`.
fn port(greeting: &str) -> Option<u16> {
    let line = greeting.lines().find_map(|line| line.trim().strip_prefix("API "))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
