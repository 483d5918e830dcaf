//! Asking the hub: bounded in time, the token for the hub alone.
//!
//! The hub answers a request for a file with the file, or with a redirection to the machine that has it. The tag and the
//! size of the file stand in the hub's own answer, so redirections are followed here, one by one.

use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

use super::{Remote, Trouble};

/// How long a connection may take, and the look-up of a name.
const CONNECTING: Duration = Duration::from_secs(10);
/// How many redirections are followed.
const HOPS: usize = 8;
/// No listing is larger. The hub's largest, of tens of thousands of files, are a few MiB.
const LARGEST_LISTING: u64 = 16 << 20;

/// A way to ask one hub.
pub(super) struct Client<'a> {
    agent: Agent,
    remote: &'a Remote,
}

/// A file that the hub is about to send.
pub(super) struct Answer {
    /// The hub's name for the content, without quotes; not checked.
    pub tag: Option<String>,
    /// Bytes, as the hub states them.
    pub size: Option<u64>,
    /// The content.
    pub body: Body,
}

impl<'a> Client<'a> {
    /// A way to ask this hub.
    pub fn new(remote: &'a Remote) -> Self {
        let patience = Some(remote.patience);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(CONNECTING.min(remote.patience)))
            .timeout_connect(Some(CONNECTING.min(remote.patience)))
            .timeout_send_request(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .user_agent(concat!("zoologist/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), remote }
    }

    /// What the hub lists of a model at a revision, as JSON.
    pub fn listing(&self, repository: &str, revision: &str) -> Result<Vec<u8>, Trouble> {
        let address = format!("{}/api/models/{repository}/revision/{}", self.remote.endpoint, encoded(revision));
        let mut body = self.get(&address)?.body;
        body.with_config().limit(LARGEST_LISTING).read_to_vec().map_err(|error| unreachable(&error))
    }

    /// A file of a model at a commit.
    pub fn file(&self, repository: &str, commit: &str, file: &str) -> Result<Answer, Trouble> {
        self.get(&format!("{}/{repository}/resolve/{commit}/{file}", self.remote.endpoint))
    }

    fn get(&self, address: &str) -> Result<Answer, Trouble> {
        let (mut address, mut tag, mut size) = (address.to_owned(), None, None);
        for _ in 0..HOPS {
            let response = self.ask(&address)?;
            let headers = response.headers();
            tag = tag.or_else(|| text(headers, "x-linked-etag"));
            size = size.or_else(|| text(headers, "x-linked-size")?.parse().ok());
            if response.status().is_redirection() {
                address = next(&address, text(headers, "location").as_deref())?;
                continue;
            }
            self.check(&address, response.status())?;
            let tag = tag.or_else(|| text(headers, "etag")).map(|tag| plain(&tag));
            let body = response.into_body();
            return Ok(Answer { tag, size: size.or(body.content_length()), body });
        }
        Err(Trouble::Strange("it redirects without end".to_owned()))
    }

    fn ask(&self, address: &str) -> Result<Response<Body>, Trouble> {
        let mut request = self.agent.get(address).header("accept-encoding", "identity");
        if let Some(token) = self.remote.token.as_ref().filter(|_| self.is_hub(address)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| unreachable(&error))
    }

    /// Whether an address is of the hub itself.
    fn is_hub(&self, address: &str) -> bool {
        origin(address) == origin(&self.remote.endpoint)
    }

    fn check(&self, address: &str, status: StatusCode) -> Result<(), Trouble> {
        let of_hub = self.is_hub(address);
        Err(match status.as_u16() {
            200 => return Ok(()),
            401 if of_hub => Trouble::Unauthorised,
            403 if of_hub => Trouble::Forbidden,
            404 if of_hub => Trouble::NotFound,
            other => Trouble::Status(other),
        })
    }
}

/// Puts what went wrong on the way into words.
pub(super) fn unreachable(error: &ureq::Error) -> Trouble {
    Trouble::Unreachable(match error {
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// A tag without its quotes and without the mark of a weak one.
fn plain(tag: &str) -> String {
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
}

/// A revision as one part of an address. Its characters but the slash need no encoding.
fn encoded(revision: &str) -> String {
    revision.replace('/', "%2F")
}

/// Scheme, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[host..].find(['/', '?', '#']).map_or(address.len(), |length| host + length);
    &address[..end]
}

/// Where a redirection leads: to a full address, never from an encrypted one to a plain one, or to a place on the same
/// host.
fn next(address: &str, location: Option<&str>) -> Result<String, Trouble> {
    let full = |location: &str| {
        location.starts_with("https://") || location.starts_with("http://") && address.starts_with("http://")
    };
    match location {
        Some(location) if full(location) => Ok(location.to_owned()),
        Some(place) if place.starts_with('/') && !place.starts_with("//") => Ok(format!("{}{place}", origin(address))),
        Some(elsewhere) => Err(Trouble::Strange(format!("it redirects to {elsewhere}"))),
        None => Err(Trouble::Strange("it redirects to nowhere".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_for_the_hub_alone() {
        let remote = Remote { endpoint: "https://hub.co".to_owned(), token: None, patience: CONNECTING };
        let client = Client::new(&remote);
        assert!(client.is_hub("https://hub.co/org/name/resolve/main/x?y") && client.is_hub("https://hub.co"));
        for other in ["http://hub.co/x", "https://hub.co:8443/x", "https://hub.co.evil/x", "https://hub.co@evil/x", ""]
        {
            assert!(!client.is_hub(other), "{other}");
        }
    }

    #[test]
    fn a_redirection_never_leads_from_an_encrypted_address_to_a_plain_one() {
        let from = "https://hub.co:8443/org/name?x=/y";
        let moved = |from: &str, to: &str| next(from, Some(to)).ok();
        assert_eq!(moved(from, "/new/name").as_deref(), Some("https://hub.co:8443/new/name"));
        assert_eq!(moved(from, "https://store.co/x").as_deref(), Some("https://store.co/x"));
        assert_eq!(moved("http://hub.lan", "http://store.lan/x").as_deref(), Some("http://store.lan/x"));
        for wrong in ["http://store.co/x", "ftp://store.co/x", "//store.co/x", "name", ""] {
            assert_eq!(moved(from, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tag_is_read_without_quotes_and_marks() {
        for written in ["\"12ab\"", "W/\"12ab\"", "12ab"] {
            assert_eq!(plain(written), "12ab");
        }
    }
}
