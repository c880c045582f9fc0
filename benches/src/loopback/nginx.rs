//! nginx, from its Debian package, as the measure of a server of files.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::cli::Failure;

/// From the start until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running nginx that serves the files of a folder. It ends when dropped.
pub(super) struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Serves `files`, with all that nginx writes in `folder`.
    pub(super) fn start(folder: &Path, files: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder)?;
        // Free now; should another take it before nginx does, nginx says so and the wait below fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = folder.join("nginx.conf");
        fs::write(&file, config(folder, files, address))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(|error| {
            format!("can't start nginx: {error}; `apt-get install nginx-light` installs it")
        })?;
        let nginx = Self { child, address };
        nginx.wait(folder)?;
        Ok(nginx)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait(&self, folder: &Path) -> Result<(), Failure> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if began.elapsed() > PATIENCE {
                let said = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                return Err(format!("nginx does not listen: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM lets the master end its workers, which a kill would leave behind.
        let pid = rustix::process::Pid::from_child(&self.child);
        let asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let waited = asked.map_err(io::Error::from).and_then(|()| self.child.wait());
        if let Err(error) = waited {
            eprintln!("can't end nginx: {error}");
        }
    }
}

fn config(folder: &Path, files: &Path, address: SocketAddr) -> String {
    let (folder, files) = (folder.display(), files.display());
    // The store's files are for its owner's eyes only, and nginx changes to another user where it can.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;\n\
           keepalive_requests 1000000; keepalive_timeout 600s; etag off;\n\
           open_file_cache max=64;\n\
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
           server {{ listen {address}; root {files}; }}\n\
         }}\n"
    )
}
