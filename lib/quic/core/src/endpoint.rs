//! One endpoint: datagrams in, connections, datagrams out.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::time::Instant;
use bytes::BytesMut;
use quinn_proto::crypto::HandshakeTokenKey;
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, EndpointConfig, EndpointEvent, Incoming,
    ServerConfig, Transmit,
};
use ring::{hkdf, hmac};
use rustls::crypto::CryptoProvider;
use slab::Slab;

use crate::connection::{happened, Connection};
use crate::entropy::{initial_destination_id, random_seed, SeededConnectionIds};
use crate::mtus::Mtus;
use crate::options::Options;
use crate::self_signed;
use crate::tls::{self, Identity};

/// What a datagram was for.
pub enum Received {
    Connection(u32),
    /// A new handshake; `validated` when it returns a token of ours.
    Incoming {
        validated: bool,
    },
}

/// Verdicts on a new handshake, as the host numbers them.
pub mod admit {
    /// Without an answer an honest client tries again within the second.
    pub const IGNORE: u32 = 0;
    /// The client must first show, with a token, that it receives what is sent to it.
    pub const RETRY: u32 = 1;
    pub const ACCEPT: u32 = 2;
}

/// Size of the key that makes a peer believe that we have forgotten its connection.
pub const RESET_KEY_BYTES: usize = 32;

pub struct Endpoint {
    quic: quinn_proto::Endpoint,
    options: Options,
    provider: Arc<CryptoProvider>,
    /// Seals the tokens in Retry packets. It outlives a renewal of the certificate between a client's
    /// first two packets: a client follows only one Retry.
    token_key: Arc<dyn HandshakeTokenKey>,
    /// What paths take, so that only the first connection with a remote has to find out: the search
    /// takes 80 KB of padding each way, more than most streams carry.
    mtus: Mtus,
    server: Option<Arc<ServerConfig>>,
    connections: Slab<Connection>,
    /// Connection by quinn's handle.
    by_handle: Vec<Option<usize>>,
    /// A handshake that waits for `admit`, and whose it is.
    incoming: Option<(Incoming, u64)>,
    /// What to answer the last datagram, which was for no connection.
    answer: Option<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Endpoint {
    /// `identity` is the server's; a server without one gets a self-signed certificate.
    pub fn new(
        options: Options,
        reset_key: &[u8],
        identity: Option<Identity>,
    ) -> Result<Self, String> {
        let provider = tls::provider();
        let token_key: Arc<dyn HandshakeTokenKey> =
            Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&random_seed()));
        let mut config =
            EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset_key)));
        let connection_ids = random_seed();
        config
            .max_udp_payload_size(options.max_datagram_bytes)
            .map_err(|error| error.to_string())?
            .rng_seed(Some(random_seed()))
            .cid_generator(move || Box::new(SeededConnectionIds::new(connection_ids)));
        let server = match options.server {
            0 => None,
            _ => Some(server_config(&options, &provider, &token_key, identity)?),
        };
        Ok(Self {
            quic: quinn_proto::Endpoint::new(Arc::new(config), server.clone(), true, None),
            options,
            provider,
            token_key,
            mtus: Mtus::default(),
            server,
            connections: Slab::new(),
            by_handle: Vec::new(),
            incoming: None,
            answer: None,
            scratch: Vec::new(),
        })
    }

    /// New handshakes are made with `identity`; connections go on as they are.
    pub fn renew(&mut self, identity: Option<Identity>) -> Result<(), String> {
        let server = server_config(&self.options, &self.provider, &self.token_key, identity)?;
        self.quic.set_server_config(Some(server.clone()));
        self.server = Some(server);
        Ok(())
    }

    pub fn connection(&mut self, id: u32) -> Option<&mut Connection> {
        self.connections.get_mut(id as usize)
    }

    /// Starts a handshake. `token` names the host's check of the server.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: u64,
        token: u32,
        identity: Option<Identity>,
    ) -> Result<u32, String> {
        let crypto = tls::client(&self.provider, token, identity, self.options.many_streams())?;
        let mut config = ClientConfig::new(crypto);
        config
            .transport_config(self.options.transport(true, self.mtus.get(remote)))
            .initial_dst_cid_provider(Arc::new(initial_destination_id));
        let (handle, quic) = self
            .quic
            .connect(now, config, address(remote), "")
            .map_err(|error| error.to_string())?;
        Ok(self.register(Connection::new(handle, quic, remote, &self.options)))
    }

    /// Takes one datagram; returns what it was for.
    pub fn receive(&mut self, now: Instant, remote: u64, datagram: BytesMut) -> Option<Received> {
        self.scratch.clear();
        self.answer = None;
        match self.quic.handle(
            now,
            address(remote),
            None,
            None,
            datagram,
            &mut self.scratch,
        )? {
            DatagramEvent::ConnectionEvent(handle, event) => {
                let id = (*self.by_handle.get(handle.0)?)?;
                self.connections[id].quic.handle_event(event);
                Some(Received::Connection(id as u32))
            }
            DatagramEvent::NewConnection(incoming) => {
                let validated = incoming.remote_address_validated();
                self.incoming = Some((incoming, remote));
                Some(Received::Incoming { validated })
            }
            DatagramEvent::Response(transmit) => {
                self.keep_answer(&transmit);
                None
            }
        }
    }

    /// Decides about the handshake that came last; returns its connection if it is accepted.
    pub fn admit(&mut self, now: Instant, verdict: u32) -> Option<u32> {
        let (incoming, remote) = self.incoming.take()?;
        match verdict {
            admit::ACCEPT => self.accept(now, incoming, remote),
            admit::RETRY => {
                match self.quic.retry(incoming, &mut self.scratch) {
                    Ok(transmit) => self.keep_answer(&transmit),
                    // It has followed a Retry already.
                    Err(error) => self.quic.ignore(error.into_incoming()),
                }
                None
            }
            _ => {
                debug_assert_eq!(verdict, admit::IGNORE);
                self.quic.ignore(incoming);
                None
            }
        }
    }

    fn accept(&mut self, now: Instant, incoming: Incoming, remote: u64) -> Option<u32> {
        let mut config = ServerConfig::clone(self.server.as_deref()?);
        config.transport_config(self.options.transport(false, self.mtus.get(remote)));
        let config = Some(Arc::new(config));
        match self.quic.accept(incoming, now, &mut self.scratch, config) {
            Ok((handle, quic)) => {
                Some(self.register(Connection::new(handle, quic, remote, &self.options)))
            }
            Err(error) => {
                if let Some(transmit) = error.response {
                    self.keep_answer(&transmit);
                }
                None
            }
        }
    }

    fn register(&mut self, connection: Connection) -> u32 {
        let handle = connection.handle.0;
        let id = self.connections.insert(connection);
        if self.by_handle.len() <= handle {
            self.by_handle.resize(handle + 1, None);
        }
        self.by_handle[handle] = Some(id);
        id as u32
    }

    fn keep_answer(&mut self, transmit: &Transmit) {
        self.answer = Some(self.scratch[..transmit.size].to_vec());
    }

    /// The answer to the last datagram, if there is one; it stays until the next is received.
    pub fn answer(&self) -> Option<&[u8]> {
        self.answer.as_deref()
    }

    /// What happened to a connection, once its business with the endpoint is done.
    pub fn poll(&mut self, id: u32) -> u32 {
        let Some(connection) = self.connections.get_mut(id as usize) else {
            return happened::DRAINED;
        };
        while let Some(event) = connection.quic.poll_endpoint_events() {
            if event.is_drained() {
                connection.registered = false;
                self.by_handle[connection.handle.0] = None;
            }
            if let Some(answer) = self.quic.handle_event(connection.handle, event) {
                connection.quic.handle_event(answer);
            }
        }
        self.mtus
            .set(connection.remote, connection.quic.current_mtu());
        connection.take_events()
    }

    /// Datagrams of a connection to send now, all but the last `size` bytes long; `out` has them
    /// back to back.
    pub fn transmit(&mut self, now: Instant, id: u32, most: usize, out: &mut Vec<u8>) -> usize {
        out.clear();
        let Some(connection) = self.connections.get_mut(id as usize) else {
            return 0;
        };
        match connection.quic.poll_transmit(now, most, out) {
            Some(transmit) => transmit.segment_size.unwrap_or(transmit.size),
            None => 0,
        }
    }

    /// Forgets a connection at once and says nothing to the peer.
    pub fn free(&mut self, id: u32) {
        let Some(connection) = self.connections.try_remove(id as usize) else {
            return;
        };
        if connection.registered {
            let ConnectionHandle(handle) = connection.handle;
            self.by_handle[handle] = None;
            self.quic
                .handle_event(connection.handle, EndpointEvent::drained());
        }
    }
}

fn server_config(
    options: &Options,
    provider: &Arc<CryptoProvider>,
    token_key: &Arc<dyn HandshakeTokenKey>,
    identity: Option<Identity>,
) -> Result<Arc<ServerConfig>, String> {
    let identity = match identity {
        Some(identity) => identity,
        None => self_signed::identity()?,
    };
    let crypto = tls::server(
        provider,
        identity,
        options.server == 2,
        options.many_streams(),
    )?;
    let mut config = ServerConfig::new(crypto, token_key.clone());
    config
        // A peer's address is a node and service of the mesh: it does not move.
        .migration(false);
    Ok(Arc::new(config))
}

/// quinn wants socket addresses: the host's 48-bit number of a remote becomes a private one.
fn address(remote: u64) -> SocketAddr {
    let [high, middle, low] = [32, 16, 0].map(|shift| (remote >> shift) as u16);
    let ip = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, high, middle, low);
    SocketAddr::new(IpAddr::V6(ip), 1)
}
