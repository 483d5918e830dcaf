//! A small hub: it speaks the routes of the Hugging Face hub that a download needs, and may be told to misbehave.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The commit of everything.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What somebody asked for.
#[derive(Clone)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What is sent back.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How many bytes of the body are sent before the connection is closed.
    pub cut: usize,
    /// Seconds of silence before the headers, and before the end of the body.
    pub silence: (u64, u64),
}

impl Reply {
    pub fn of(status: u16, body: &[u8]) -> Self {
        Self { status, headers: vec![], body: body.to_vec(), cut: body.len(), silence: (0, 0) }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn send(&self, to: &mut TcpStream) -> std::io::Result<()> {
        thread::sleep(Duration::from_secs(self.silence.0));
        let (status, length) = (self.status, self.body.len());
        write!(to, "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {length}\r\n")?;
        for (name, value) in &self.headers {
            write!(to, "{name}: {value}\r\n")?;
        }
        to.write_all(b"\r\n")?;
        to.write_all(&self.body[..self.cut])?;
        to.flush()?;
        thread::sleep(Duration::from_secs(self.silence.1));
        Ok(())
    }
}

/// A hub that listens until the test ends.
pub struct Hub {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Hub {
    /// Answers every request as the function says.
    pub fn serve(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(vec![]));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || answer_one(stream, &seen, &*answer));
            }
        });
        Self { address, requests }
    }

    /// Answers as the real hub does, with these files of `org/tiny`.
    pub fn of(files: &Files) -> Self {
        let files = files.clone();
        Self::serve(move |request| files.answer(request))
    }

    /// The paths that were asked for so far.
    pub fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer_one(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    let Some(request) = read(&stream) else { return };
    seen.lock().unwrap().push(request.clone());
    // A client that has gone away misses its answer.
    let _ = answer(&request).send(&mut stream);
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let headers = head.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some(Request { path, headers: headers.collect() })
}

/// The files of a model.
#[derive(Clone, Default)]
pub struct Files {
    pub contents: BTreeMap<String, Vec<u8>>,
    /// Tags of the large ones, which another machine sends: their SHA-256.
    pub large: BTreeMap<String, String>,
    /// Where that machine is, if not here.
    pub elsewhere: String,
}

impl Files {
    pub fn add(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.contents.insert(name.to_owned(), content.as_ref().to_vec());
        self
    }

    /// A file that is kept elsewhere under its SHA-256.
    pub fn add_large(mut self, name: &str, content: impl AsRef<[u8]>, sha256: &str) -> Self {
        self.large.insert(name.to_owned(), sha256.to_owned());
        self.add(name, content)
    }

    pub fn answer(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        if let Some(revision) = path.strip_prefix("/api/models/org/tiny/revision/") {
            return if ["main", "v1%2Fa", COMMIT].contains(&revision) { self.listing() } else { Reply::of(404, b"") };
        }
        if let Some(file) = path.strip_prefix(&format!("/org/tiny/resolve/{COMMIT}/")) {
            return self
                .contents
                .get(file)
                .map_or(Reply::of(404, b"Entry not found"), |content| self.file(file, content));
        }
        let kept = path.strip_prefix("/kept/").and_then(|tag| self.large.iter().find(|(_, known)| *known == tag));
        kept.map_or(Reply::of(404, b""), |(name, _)| {
            Reply::of(200, &self.contents[name]).with("etag", "\"of the store\"")
        })
    }

    pub fn listing(&self) -> Reply {
        let siblings: Vec<_> = self.contents.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let listing = serde_json::json!({ "id": "org/tiny", "sha": COMMIT, "siblings": siblings, "private": false });
        Reply::of(200, listing.to_string().as_bytes())
    }

    fn file(&self, name: &str, content: &[u8]) -> Reply {
        let Some(tag) = self.large.get(name) else {
            return Reply::of(200, content)
                .with("etag", &format!("\"{}\"", small_tag(content)))
                .with("x-repo-commit", COMMIT);
        };
        Reply::of(302, b"elsewhere")
            .with("location", &format!("{}/kept/{tag}", self.elsewhere))
            .with("x-linked-etag", &format!("\"{tag}\""))
            .with("x-linked-size", &content.len().to_string())
            .with("x-repo-commit", COMMIT)
    }
}

/// A tag that has the look of the hub's for small files.
pub fn small_tag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:040x}", hasher.finish())
}
