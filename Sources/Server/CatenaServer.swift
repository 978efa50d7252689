import API
import Access
import Core
import Dispatch
import Engine
import Foundation
import HTTP1
import KVCache
import Logging
import Metrics
import Model
import ModelIO
import Net
import Scheduling
import ServerConfig
import Synchronization
import TLS
import Tensor
import Tokenizer

/// The whole house, wired: configuration in, a serving process out.
///
/// Order of a start: listen, so that probes get answers (`/readyz` says 503, loading); load the model; be ready. Order
/// of an end (`drain`): `/readyz` says 503 while requests are still taken for the grace time; then nothing new is accepted,
/// running answers go on until the deadline, and everything is closed.
public final class CatenaServer: Sendable {
    private let configuration: ServerConfiguration
    private let log: Logger
    private let state = ServiceState()
    private let metrics = ServerMetrics()
    private let access: AccessControl
    private let accessLog: AccessLog?
    private let router: Router
    private let http: HTTPServer
    private let engine = Mutex<InferenceEngine?>(nil)
    private let credentials = Mutex<TLSCredentials?>(nil)
    /// Idle comments of streams, and the shutdown's timers.
    private let clock = DispatchQueue(label: "catena.clock")
    /// Seconds, more or less.
    private let sinceTidy = Atomic<Int>(0)
    // Unsafe only to the compiler: Dispatch sources may be cancelled from any thread, and nothing else is done with it.
    private nonisolated(unsafe) let ticks: any DispatchSourceTimer

    /// - Throws: ``StartError`` when the access log cannot be opened.
    public init(configuration: ServerConfiguration, log: Logger) throws(StartError) {
        self.configuration = configuration
        self.log = log
        if let access = configuration.log.access {
            accessLog = try AccessLog(
                AccessLog.Target(access),
                limit: configuration.log.accessBuffer,
                dropped: metrics.access.logLinesDropped,
                report: { log.error("\($0)") }
            )
        } else {
            accessLog = nil
        }
        access = AccessControl(configuration, log: accessLog)
        let router = Router(state: state, options: APIOptions(configuration), access: access, metrics: metrics)
        self.router = router
        http = HTTPServer(configuration: NetConfiguration(configuration.http), handler: router, log: log)
        ticks = DispatchSource.makeTimerSource(queue: clock)
        ticks.schedule(deadline: .now() + 1, repeating: 1)
        ticks.setEventHandler { @Sendable [weak self] in
            router.pingIdleStreams()
            self?.tidySessions()
        }
        ticks.resume()
    }

    /// Every few seconds is plenty: sessions live for minutes.
    private func tidySessions() {
        let isDue = sinceTidy.add(1, ordering: .relaxed).newValue.isMultiple(of: 5)
        guard isDue, let engine = engine.withLock({ $0 }) else { return }
        let metrics = metrics.engine
        engine.tidySessions { counts in
            if let count = counts[.disk] { metrics.sessionsOnDisk.set(count) }
            if let count = counts[.redis] { metrics.sessionsInRedis.set(count) }
        }
    }

    /// Listens, then loads the model, then serves.
    ///
    /// - Returns: the addresses, with the port that the system chose in place of 0.
    /// - Throws: `KeyFileError`, `ListenError`, `TLSFileError`, `ModelFileError` or ``StartError``, whose descriptions say what is wrong,
    ///   where, and what would be right. The server is of no use then.
    @discardableResult
    public func start() throws -> [ListenAddress] {
        if let keys = access.keys {
            try keys.load()
            log.info("keys: \(keys.count)")
        }
        let addresses = try listen()
        let start = ContinuousClock.now
        let loaded = try LoadedModel(configuration, metrics: metrics, log: log)
        log.info("\(loaded.summary), loaded in \((ContinuousClock.now - start) / .milliseconds(1)) ms")
        engine.withLock { $0 = loaded.engine }
        state.becomeReady(
            model: loaded.served,
            codec: TokenizerCodec(tokenizer: loaded.tokenizer),
            service: loaded.engine
        )
        log.info("ready: POST /v1/completions")
        return addresses
    }

    private func listen() throws -> [ListenAddress] {
        let server = configuration.server
        var addresses: [ListenAddress] = []
        if server.plain {
            addresses.append(try http.listen(on: tcpAddress(server.port)))
            log.info("listening on http://\(addresses[0])")
        }
        if let port = server.tls.port, let certificate = server.tls.certificate, let key = server.tls.key {
            let credentials = try TLSCredentials(certificate: certificate, key: key)
            self.credentials.withLock { $0 = credentials }
            describe(credentials)
            let address = try http.listen(on: tcpAddress(port), credentials: credentials)
            log.info("listening on https://\(address)")
            addresses.append(address)
        }
        if let path = server.unixSocket {
            addresses.append(try http.listen(on: .unix(path: path)))
            log.info("listening on unix:\(path)")
        }
        return addresses
    }

    /// Reads again what may change while the server runs: the keys and the certificate, which requests and connections to
    /// come go by; a file that is not right is told in the log, and what was read before stays in use. Opens the access log
    /// again.
    public func reload() {
        accessLog?.reopen()
        reloadKeys()
        reloadCertificate()
    }

    private func reloadKeys() {
        guard let keys = access.keys else { return }
        do throws(KeyFileError) {
            try keys.load()
            log.info("keys: \(keys.count)")
        } catch {
            log.error("the keys in use stay in use: \(error)")
        }
    }

    private func reloadCertificate() {
        guard let credentials = credentials.withLock({ $0 }) else { return }
        do throws(TLSFileError) {
            try credentials.reload()
            describe(credentials)
        } catch {
            log.error("the certificate in use stays in use: \(error)")
        }
    }

    private func describe(_ credentials: TLSCredentials) {
        let context = credentials.current
        let validity = "\(credentials.certificate): valid until \(context.validUntil)"
        if context.isOutsideValidity {
            log.warning("\(validity), but not now: clients will refuse it")
        } else {
            log.info("\(validity)")
        }
    }

    /// Goes down gracefully.
    ///
    /// - Parameter completion: called once, on a queue of its own, when every connection is closed and the engine has ended.
    public func drain(completion: @escaping @Sendable () -> Void) {
        let completion: @Sendable () -> Void = { [accessLog] in
            accessLog?.flush()
            completion()
        }
        state.leave()
        let grace = configuration.shutdown.grace / .seconds(1)
        clock.asyncAfter(deadline: .now() + grace) { [self] in
            state.drain()
            let engine = engine.withLock { $0 }
            let deadline = configuration.shutdown.deadline
            // At the deadline the engine fails what still runs, and the connections have a moment to say so.
            clock.asyncAfter(deadline: .now() + deadline / .seconds(1)) { engine?.stop() }
            http.drain(within: deadline + Self.farewell) { [self] in
                ticks.cancel()
                guard let engine else { return completion() }
                engine.drain()
                engine.whenEnded(queue: clock, completion)
            }
        }
    }

    /// For clients to take what is said to them at the deadline.
    private static let farewell = Duration.seconds(2)

    private func tcpAddress(_ port: Int) throws -> ListenAddress {
        guard let number = UInt16(exactly: port) else { throw StartError.port(port) }
        let host = configuration.server.host
        return .tcp(host: host == "localhost" ? "127.0.0.1" : host, port: number)
    }
}

/// Why a server cannot start, beside what sockets and model files say themselves.
public enum StartError: Error, CustomStringConvertible {
    case port(Int)
    case cacheTooSmall(bytes: Int, neededBytes: Int)
    case cacheTooLarge(bytes: Int, memory: Int)
    case accessLog(path: String, problem: String)
    case vocabulary(tokenizer: Int, model: Int, path: String)
    /// A file that may have the checkpoint's chat template cannot be read.
    case chatTemplate(path: String, problem: String)
    /// What the password of Redis is to be read from.
    case redisPassword(String)

    public var description: String {
        switch self {
        case .port(let port):
            "a port is \(port): expected 0 to 65535"
        case .cacheTooSmall(let bytes, let needed):
            "kv_cache.size gives \(bytes) bytes, too few for one request of the model's full context: expected at "
                + "least \(needed)"
        case .cacheTooLarge(let bytes, let memory):
            "kv_cache.size is \(bytes) bytes, more than the memory of this machine or container: expected at most "
                + "\(memory)"
        case .accessLog(let path, let problem):
            "log.access: \(path) cannot be written (\(problem)); give stdout, stderr, or the path of a file in a folder "
                + "that exists"
        case .vocabulary(let tokenizer, let model, let path):
            "\(path)/tokenizer.json has \(tokenizer) tokens and the model's vocabulary \(model): expected no more "
                + "tokens than the model knows"
        case .chatTemplate(let path, let problem):
            "\(path) cannot be read for its chat template: \(problem); mend it, or set model.chat_template"
        case .redisPassword(let problem):
            "sessions.redis.password_file: \(problem)"
        }
    }
}
