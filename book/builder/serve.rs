//! The book on this machine alone: files by HTTP on 127.0.0.1, built anew when something that it is made of changes.

use crate::{
    Built, Problem,
    address::{split, within},
    build,
};
use std::{
    fs, io,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

/// Where the book is served if nothing else is there; any other port that is free, else.
const PORT: u16 = 3117;

/// What the book is made of, from the folder with `book.toml`. The builder and the figures are compiled in.
const MADE_OF: [&str; 10] = [
    "book.toml",
    "css",
    "examples",
    "js",
    "listings",
    "src",
    "../benches/results",
    "../optimized",
    "../reference/src",
    "../tests",
];

/// Asked for by every page, so that it is loaded again after a build.
const AGAIN: &str = "<script>{let seen;setInterval(async()=>{try{const now=await(await fetch('/~built')).text();\
                     if(seen&&now!==seen)location.reload();seen=now}catch{}},700)}</script></body>";

/// Builds the book, serves it, opens it in a browser and goes on building. `say` is told what to print.
///
/// # Errors
///
/// If no port of this machine can be listened on. It does not return otherwise.
pub fn serve(root: &Path, out: &Path, mut say: impl FnMut(&str)) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let listener = listener.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = format!("http://{}/", listener.local_addr()?);
    let site = Arc::new(Site { out: out.to_path_buf(), building: RwLock::new(()), built: AtomicU64::new(0) });

    let mut state = state(root);
    site.build(root, &mut say);
    let serving = Arc::clone(&site);
    thread::spawn(move || serving.answer_all(&listener));
    say(&format!("{address}  (Ctrl-C ends it)"));
    open(&address);
    loop {
        thread::sleep(Duration::from_millis(400));
        let now = self::state(root);
        if now != state {
            state = now;
            site.build(root, &mut say);
        }
    }
}

struct Site {
    out: PathBuf,
    /// Held while the folder is empty or half written.
    building: RwLock<()>,
    /// How many times it was built.
    built: AtomicU64,
}

impl Site {
    fn build(&self, root: &Path, say: &mut impl FnMut(&str)) {
        let made: Result<Built, Vec<Problem>> = {
            let _alone = self.building.write();
            build(root, &self.out)
        };
        self.built.fetch_add(1, Ordering::Relaxed);
        match made {
            Ok(built) => say(&format!("{} pages", built.pages)),
            Err(problems) => problems.iter().for_each(|problem| say(&problem.to_string())),
        }
    }

    fn answer_all(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            let site = Arc::clone(self);
            // A browser that goes away in the middle is none of our business.
            thread::spawn(move || site.answer(stream).ok());
        }
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let (status, kind, body) = self.response(&request);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)
    }

    /// Status, kind and body for the first line of a request.
    fn response(&self, request: &str) -> (&'static str, &'static str, Vec<u8>) {
        let mut words = request.split_whitespace();
        let (Some("GET"), Some(path)) = (words.next(), words.next()) else {
            return ("405 Method Not Allowed", "text/plain", b"only GET".into());
        };
        if path == "/~built" {
            return ("200 OK", "text/plain", self.built.load(Ordering::Relaxed).to_string().into());
        }
        let _built = self.building.read();
        let file =
            within(Path::new(split(path).0.trim_start_matches('/'))).map(|inside| self.out.join(inside));
        let file = file.map(|file| if file.is_dir() { file.join("index.html") } else { file });
        match file.and_then(|file| Some((kind(&file), fs::read(file).ok()?))) {
            Some((kind, body)) if kind.starts_with("text/html") => ("200 OK", kind, with_reload(body)),
            Some((kind, body)) => ("200 OK", kind, body),
            None => ("404 Not Found", "text/plain", b"no such page".into()),
        }
    }
}

fn with_reload(body: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(html) => html.replacen("</body>", AGAIN, 1).into(),
        Err(other) => other.into_bytes(),
    }
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// Every file that the book is made of, with the time of its last change.
fn state(root: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut files = Vec::new();
    MADE_OF.iter().for_each(|part| gather(&root.join(part), &mut files));
    files.sort();
    files
}

fn gather(path: &Path, files: &mut Vec<(PathBuf, SystemTime)>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| gather(&entry.path(), files));
    } else if let Ok(changed) = fs::metadata(path).and_then(|about| about.modified()) {
        files.push((path.to_path_buf(), changed));
    }
}

/// Asks the desktop for a browser; where there is none, the printed address has to do.
fn open(address: &str) {
    let (program, first): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(first).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let out = std::env::temp_dir().join(format!("ppo-book-{}", std::process::id()));
        fs::create_dir_all(out.join("deep")).unwrap();
        fs::write(out.join("index.html"), "<html><body>x</body></html>").unwrap();
        fs::write(out.join("deep/a b.css"), "p {}").unwrap();
        Site { out, building: RwLock::new(()), built: AtomicU64::new(3) }
    }

    #[test]
    fn what_is_in_the_folder_is_served_and_nothing_else() {
        let site = site();
        let of = |request: &str| {
            let (status, kind, body) = site.response(request);
            (status, kind, String::from_utf8(body).unwrap())
        };
        assert!(of("GET / HTTP/1.1").2.contains("x<script>"));
        assert_eq!(
            of("GET /deep/a%20b.css?v=1 HTTP/1.1"),
            ("200 OK", "text/css; charset=utf-8", "p {}".into())
        );
        assert_eq!(of("GET /~built HTTP/1.1").2, "3");
        for path in ["/gone.html", "/../Cargo.toml", "/%2e%2e/x", "//etc/passwd", "/deep"] {
            assert_eq!(of(&format!("GET {path} HTTP/1.1")).0, "404 Not Found", "{path}");
        }
        for request in ["POST / HTTP/1.1", "", "GET"] {
            assert_eq!(of(request).0, "405 Method Not Allowed", "{request}");
        }
        fs::remove_dir_all(&site.out).unwrap();
    }
}
