import Core

/// Everything an operator decides. This struct is the documentation: each property is a key of the configuration file
/// (`server.unixSocket` is `server: unix_socket:`), of the environment (`CATENA_SERVER_UNIX_SOCKET`) and of the
/// command line, with its default.
///
/// Sizes are in bytes and written `64KiB`, `256MiB`, `2GiB` or as a plain number; times are written `500ms`, `10s`,
/// `30m`, `2h`.
public struct ServerConfiguration: Sendable, Hashable {
    public var server = Server()
    public var keys = Keys()
    public var cors = CORS()
    public var http = HTTP()
    public var model = Model()
    public var compute = Compute()
    public var kvCache = KVCache()
    public var scheduler = Scheduler()
    public var sessions = Sessions()
    public var limits = Limits()
    public var streaming = Streaming()
    public var shutdown = Shutdown()
    public var log = Log()

    public init() {}

    /// Where the server listens.
    public struct Server: Sendable, Hashable {
        /// The numeric IPv4 or IPv6 address to listen on, or `localhost`. `0.0.0.0` and `::` are all addresses of the
        /// machine.
        public var host = "127.0.0.1"
        /// The TCP port. 0 lets the system choose one.
        public var port = 8080
        /// Whether to listen on `port`, without TLS. False: only with TLS, or on the Unix socket.
        public var plain = true
        /// The path of a Unix socket to listen on as well.
        public var unixSocket: String?
        /// Whether `/` is the playground, a page to try the model with.
        public var playground = true
        public var tls = TLS()
        /// Proxies whose `X-Forwarded-For` says who a client is: addresses, ranges (`10.0.0.0/8`), or `unix` for those of
        /// the Unix socket.
        public var trustedProxies: [String] = []

        /// HTTPS, on a port of its own beside the plain one.
        public struct TLS: Sendable, Hashable {
            /// The TCP port, on `host`. 0 lets the system choose one. Nil: no TLS.
            public var port: Int?
            /// The path of a PEM file: the server's certificate, then the ones that signed it, without the root.
            public var certificate: String?
            /// The path of a PEM file: the certificate's private key, not encrypted.
            public var key: String?
        }
    }

    /// Who may use the server. Without keys here and in a file: everybody.
    public struct Keys: Sendable, Hashable {
        /// Keys, each as a line of the file.
        public var list: [String] = []
        /// The path of a file with one key a line, read again at SIGHUP. Nil: none.
        public var file: String?
        /// Whether `/metrics` needs a key too.
        public var guardMetrics = true

        /// Whether a key is needed.
        public var areNeeded: Bool { !list.isEmpty || file != nil }
    }

    /// Pages of other origins in browsers.
    public struct CORS: Sendable, Hashable {
        /// Origins whose pages may use the API; `*` for all.
        public var origins: [String] = []
        /// How long browsers may remember what they were told.
        public var maxAge = Duration.seconds(600)
    }

    /// What a connection may take of memory and time.
    public struct HTTP: Sendable, Hashable {
        public var limits = RequestLimits()
        public var timeouts = Timeouts()
        public var compression = Compression()
        /// Connections open at once. One more is answered 503 and closed.
        public var maxConnections = 1024
        /// Connections open at once from one IPv4 address, or one IPv6 /64. One more is answered 503 and closed. Nil: any
        /// number.
        public var maxConnectionsPerAddress: Int? = 512
        /// Serial queues among which connections are spread.
        public var lanes = 2
        /// Requests of one connection that are answered at the same time.
        public var maxPipelined = 16
        /// Bytes a second below which a body is slow.
        public var minimumBodyRate = 1024
        /// Bytes a second below which a reader is slow.
        public var minimumWriteRate = 1024
        /// Unsent bytes of a connection above which the client of a stream is dropped.
        public var unsentLimit = 1 << 20
        /// Body bytes that are read and thrown away after an early answer, to keep the connection.
        public var drainedBody = 64 << 10

        /// What to do when a client has ended its side of the connection and its answer is still being made.
        public var halfClose = HalfClose.probe

        public enum HalfClose: String, Sendable, Hashable, CaseIterable {
            /// Go on, and find out by an interim answer (`102 Processing`) whether the client is still there.
            case probe
            /// Go on; a client that is gone is noticed when its answer is written.
            case answer
            /// Take the client for gone.
            case cancel
        }

        /// The largest request, in bytes but for `headerCount`.
        public struct RequestLimits: Sendable, Hashable {
            /// The request target. Longer: 414.
            public var target = 8 << 10
            /// One header line. Longer: 431.
            public var headerLine = 16 << 10
            /// Number of header fields. More: 431.
            public var headerCount = 100
            /// All header lines together. More: 431.
            public var headerTotal = 64 << 10
            /// The body. Larger: 413.
            public var body = 1 << 20
            /// A body of gzip, inflated. Larger: 413.
            public var inflatedBody = 1 << 20
            /// All bodies together. A request that would exceed it: 503.
            public var bodiesTotal = 256 << 20
            /// All chunk extensions of a body together. More: 413.
            public var chunkExtensions = 4 << 10
            /// All trailer lines together. More: 431.
            public var trailers = 8 << 10
        }

        /// gzip, for clients that ask for it.
        public struct Compression: Sendable, Hashable {
            /// Whether whole answers of JSON or text are compressed. Event streams never are.
            public var enabled = true
            /// Bytes of an answer below which it is left as it is.
            public var minimumSize = 1024
            /// 1 (fast) to 9 (small).
            public var level = 6
        }

        /// How long a client may take.
        public struct Timeouts: Sendable, Hashable {
            /// From connecting, or the first byte of a request, to the end of its headers. Then: 408.
            public var header = Duration.seconds(10)
            /// For a body to arrive, beside the time it earns at `minimumBodyRate`. Then: 408.
            public var body = Duration.seconds(30)
            /// How long a connection may stay open between two requests.
            public var keepAlive = Duration.seconds(75)
            /// For the client to take bytes, beside the time it earns at `minimumWriteRate`. Then it is dropped.
            public var write = Duration.seconds(30)
            /// How long after a client ended its side `halfClose: probe` asks whether it is still there.
            public var halfCloseProbe = Duration.milliseconds(100)
            /// How long input is read and thrown away after the last answer, so that a reset does not eat the answer.
            public var linger = Duration.seconds(2)
        }
    }

    /// What is served.
    public struct Model: Sendable, Hashable {
        /// The folder of the checkpoint: `config.json`, `tokenizer.json` and the weights.
        public var path = "Models/catena-fable-16m"
        /// What clients call it. Nil: the folder's name.
        public var name: String?
        /// The chains of requests that say nothing about them: a count, a range or `auto`.
        public var defaultChains = ChainSelection.auto
        /// The latency budget of requests that set no limit themselves: the whole answer within this time. Nil: none.
        public var defaultBudget: Duration?
        /// Loads only this many chains, from the first on. Nil: all.
        public var maxChains: Int?
        /// Answers any model name instead of 404 for unknown ones.
        public var acceptAnyModel = false
        /// How conversations are written down for the model.
        public var chatTemplate = ChatTemplate.auto
        /// Where the weights of a quantised model are read from.
        public var weights = Weights.copy

        public enum ChatTemplate: String, Sendable, Hashable, CaseIterable {
            /// As the checkpoint's own template does, if it is one of these; else `plain`.
            case auto
            case chatml
            case llama3
            /// A transcript in words.
            case plain
        }

        public enum Weights: String, Sendable, Hashable, CaseIterable {
            /// A copy in large pages, made at start.
            case copy
            /// The mapped files, which processes share.
            case map
        }
    }

    /// How products are computed.
    public struct Compute: Sendable, Hashable {
        public enum Backend: String, Sendable, Hashable, CaseIterable {
            /// `native`, but for many rows OpenBLAS where the kernels lack the processor's vector instructions.
            /// With OpenBLAS the last bits of an answer may depend on what else is in the batch.
            case auto
            case openblas
            case native
        }

        /// Threads that compute. Nil: as many as the process may use processors.
        public var threads: Int?
        public var backend = Backend.auto
    }

    /// The memory of keys and values, allocated once at start.
    public struct KVCache: Sendable, Hashable {
        public enum ElementType: String, Sendable, Hashable, CaseIterable {
            case bf16, f32
        }

        /// In bytes, or as a share of the machine's memory.
        public var size = MemorySize.share(percent: 10)
        /// How elements are stored. bf16 takes half the memory.
        public var dtype = ElementType.bf16
        /// Tokens of a block, the unit of allocation and of sharing between requests: a multiple of 16.
        public var blockTokens = 16
        /// Whether requests find the KV of earlier ones with the same first tokens.
        public var prefixCache = true
    }

    /// How requests share the model.
    public struct Scheduler: Sendable, Hashable {
        /// Requests that generate at the same time.
        public var maxRunning = 32
        /// Requests that wait. One more is answered 503.
        public var maxQueued = 256
        /// Tokens of one step: the longest part of a prompt that is computed between two tokens of the others. At least
        /// `maxRunning`.
        public var stepTokens = 256
        /// How long measuring the time of steps may take at start; the chain policy goes by it. Zero: it is learned from
        /// requests.
        public var calibration = Duration.milliseconds(1500)
        /// How readily the time that budgets leave is spent on larger sizes. More gives more chains, less keeps more for
        /// bursts; 0 gives every request with a budget beside it the fewest.
        public var eagerness = 1.0
    }

    /// Conversations whose KV is kept between requests.
    public struct Sessions: Sendable, Hashable {
        /// The most sessions; the least recently used goes first.
        public var max = 1024
        /// Sessions idle for longer are forgotten.
        public var ttl = Duration.seconds(30 * 60)
        public var disk = Disk()
        public var redis = Redis()

        /// A folder that keeps sessions beyond memory and beyond the end of the process.
        public struct Disk: Sendable, Hashable {
            /// Nil: sessions are kept in memory only.
            public var path: String?
            /// The most bytes of all sessions in it; the least recently used goes first.
            public var size = 1 << 30
            /// Sessions idle for longer are removed.
            public var ttl = Duration.seconds(24 * 3600)
            /// The most bytes that wait to be written; a session beyond them is left out.
            public var writeBehind = 64 << 20
        }

        /// A Redis (6.2 or newer, one server and no cluster) that keeps sessions for several replicas. It costs a prefill when
        /// it fails, never an answer.
        public struct Redis: Sendable, Hashable {
            /// Its name or numeric address. Nil: none, or one with a Unix socket.
            public var host: String?
            public var port = 6379
            /// The path of a Unix socket of a Redis on this machine, in the place of `host`.
            public var unixSocket: String?
            /// Nil: the default user.
            public var user: String?
            public var password: String?
            /// The path of a file whose first line is the password; read for every new connection.
            public var passwordFile: String?
            /// The number of the database.
            public var database = 0
            /// Not to be had: hiredis 0.14, which Debian 12 has, knows no TLS.
            public var tls = false
            /// In front of every key. Servers of different models need different ones.
            public var prefix = "catena:"
            /// Sessions that are not written again for so long go.
            public var ttl = Duration.seconds(24 * 3600)
            /// How long a request waits for its session, beside the time that the session's bytes earn at `minimumRate`. Then
            /// its prompt is computed.
            public var lookupTimeout = Duration.milliseconds(50)
            /// The same for writing, removing and listing sessions.
            public var commandTimeout = Duration.seconds(1)
            /// For a new connection, with login.
            public var connectTimeout = Duration.milliseconds(500)
            /// Bytes a second below which Redis is slow.
            public var minimumRate = 64 << 20
            /// Bytes of one value; larger sessions have several.
            public var chunk = 512 << 10
            /// Whether sessions are compressed: about 0.7 of the size, for processor time in every turn.
            public var compress = false
            /// The most bytes that wait to be written; a session beyond them is written later, or left out.
            public var writeBehind = 64 << 20
            public var breaker = Breaker()

            /// When Redis is left alone.
            public struct Breaker: Sendable, Hashable {
                /// After so many failures in a row.
                public var failures = 3
                /// For so long. Then one request tries.
                public var pause = Duration.seconds(5)
            }
        }
    }

    /// The largest completion request.
    public struct Limits: Sendable, Hashable {
        /// Prompts of one request.
        public var prompts = 64
        /// `n` and `best_of`: answers to one prompt.
        public var n = 16
        /// Answers in all: prompts times `n`, or `best_of`. Never more than requests may run and wait, as they could not all be
        /// taken.
        public var choices = 128
        /// Stop strings.
        public var stops = 16
        /// Bytes of one stop string.
        public var stopBytes = 256
    }

    /// Event streams.
    public struct Streaming: Sendable, Hashable {
        /// How long a stream may be silent before a comment keeps proxies from closing it.
        public var pingInterval = Duration.seconds(15)
    }

    /// What SIGTERM does.
    public struct Shutdown: Sendable, Hashable {
        /// How long new requests are still taken while `/readyz` says 503, so that balancers notice first.
        public var grace = Duration.seconds(0)
        /// How long running answers may then take; what is left is cut off.
        public var deadline = Duration.seconds(30)
    }

    /// What is written down: messages to standard error, and the access log.
    public struct Log: Sendable, Hashable {
        public enum Level: String, Sendable, Hashable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        /// Messages below this level are not written.
        public var level = Level.info
        /// Where a line of JSON is written for every request: `stdout`, `stderr`, or the path of a file. Nil: nowhere.
        public var access: String?
        /// Bytes of lines that wait to be written; lines beyond them are left out.
        public var accessBuffer = 1 << 20
        /// Whether the access log has the prompts.
        public var prompts = false
    }
}

/// An amount of memory.
public enum MemorySize: Sendable, Hashable {
    case bytes(Int)
    /// Percent of the machine's memory (or of the container's limit), more than 0 and at most 100.
    case share(percent: Double)

    /// - Parameter memory: bytes of the machine.
    public func bytes(of memory: Int) -> Int {
        switch self {
        case .bytes(let bytes): bytes
        case .share(let percent): Int(Double(memory) * percent / 100)
        }
    }
}
