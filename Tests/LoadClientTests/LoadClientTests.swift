import LoadTesting
import Synchronization
import Testing

@testable import LoadClient

@Suite(.timeLimit(.minutes(1))) struct LoadClientTests {
    private func client(_ server: FakeServer) throws -> LoadClient {
        var client = LoadClient(
            target: try Target(server.url),
            template: CompletionTemplate(prompts: .words(tokensPerWord: 1, seed: 1))
        )
        client.timeout = 50
        return client
    }

    private func workload(_ count: Int, every gap: Double = 0.002) -> Workload {
        Workload(
            arrivals: (0..<count).map { Arrival(time: Double($0) * gap, promptTokens: 5, outputTokens: 3) },
            duration: Double(count) * gap
        )
    }

    /// Each connection is answered as `answer` says, until the client closes it.
    private func offer(
        _ count: Int = 1,
        answer: @escaping @Sendable (FakeServer.Connection) -> Bool
    ) throws -> (outcomes: [RequestOutcome], connections: Int) {
        let server = FakeServer { connection in
            while connection.readRequest() != nil, answer(connection) {}
        }
        defer { server.stop() }
        let run = try client(server).offer(workload(count))
        #expect(!run.wasStopped)
        return (run.outcomes, server.connections)
    }

    private func checkWhole(_ outcome: RequestOutcome) throws {
        #expect(outcome.status == .completed && outcome.outputTokens == 3 && outcome.promptTokens == 9)
        #expect(outcome.chainTokens == [0, 2, 1, 0] && outcome.cachedTokens == 4)
        #expect(outcome.runs.map(\.chains) == [3, 2] && outcome.runs.map(\.tokens) == [1, 2])
        let sent = try #require(outcome.sent)
        let first = try #require(outcome.firstToken)
        #expect(outcome.scheduled <= sent && sent <= first && first <= outcome.end)
    }

    @Test func connectionsAreKept() throws {
        // Far enough apart that each answer is there before the next request.
        let server = FakeServer { connection in
            while connection.readRequest() != nil { connection.send(Answers.stream) }
        }
        defer { server.stop() }
        let run = try client(server).saturate([workload(1).arrivals[0]], concurrency: 1, until: .requests(20))
        #expect(run.outcomes.count == 20 && server.connections == 1)
        for outcome in run.outcomes { try checkWhole(outcome) }
    }

    @Test(arguments: [1, 2, 3, 7, 50])
    func answersInPieces(size: Int) throws {
        let (outcomes, _) = try offer(3) { connection in
            connection.send(Answers.stream, inPiecesOf: size)
            return true
        }
        for outcome in outcomes { try checkWhole(outcome) }
    }

    /// Open loop: a server that answers nothing for a while does not keep later requests from being sent.
    @Test func slowAnswersDoNotHoldUpOthers() throws {
        let open = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let server = FakeServer { connection in
            while connection.readRequest() != nil {
                most.max(open.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
                // Until all have come, which they do only if nobody waits for an answer.
                while most.load(ordering: .relaxed) < 50 { connection.pause(1) }
                open.subtract(1, ordering: .relaxed)
                connection.send(Answers.stream)
            }
        }
        defer { server.stop() }
        let outcomes = try client(server).offer(workload(50, every: 0.001)).outcomes
        #expect(server.connections == 50)
        for outcome in outcomes { try checkWhole(outcome) }
        // The first had to wait for the last, and its latency says so.
        #expect(try #require(outcomes[0].endToEnd) >= 0.045)
    }

    @Test func refusals() throws {
        let (outcomes, connections) = try offer(3) { connection in
            connection.send(Answers.overloaded)
            return true
        }
        for outcome in outcomes {
            #expect(outcome.status == .rejected(status: 503, code: "server_is_overloaded"))
            #expect(outcome.isMet == false && outcome.endToEnd == nil)
        }
        #expect(connections >= 1)
    }

    @Test func refusalThatCloses() throws {
        let (outcomes, connections) = try offer(3) { connection in
            connection.send(
                "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nfull"
            )
            return false
        }
        #expect(outcomes.allSatisfy { $0.status == .rejected(status: 503, code: nil) })
        #expect(connections == 3)
    }

    @Test func resets() throws {
        let (outcomes, _) = try offer(2) { connection in
            connection.send(Answers.streamHead + Answers.chunk(Answers.token("a")))
            connection.pause(20)
            connection.reset()
            return false
        }
        for outcome in outcomes {
            #expect(outcome.status == .failed("Connection reset by peer"))
            #expect(outcome.outputTokens == 1 && outcome.isMet == false)
        }
    }

    @Test func earlyEnds() throws {
        let (outcomes, _) = try offer(2) { connection in
            connection.send(Answers.streamHead + Answers.chunk(Answers.token("a")))
            return false
        }
        #expect(outcomes.allSatisfy { $0.status == .failed("the connection was closed in the middle of the answer") })
        let (silent, _) = try offer(1) { _ in false }
        #expect(silent[0].status == .failed("the connection was closed without an answer"))
        let (incomplete, _) = try offer(1) { connection in
            connection.send(Answers.streamHead + Answers.chunk(Answers.token("a")) + Answers.lastChunk)
            return true
        }
        #expect(incomplete[0].status == .failed("the answer ended without a finish_reason"))
    }

    /// A server that closes kept connections just when the next request comes: that one goes out once more, elsewhere.
    @Test func staleConnections() throws {
        let server = FakeServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(Answers.stream)
            // Every connection answers once, and ends the second request without a word.
            _ = connection.readRequest()
        }
        defer { server.stop() }
        let run = try client(server).saturate([workload(1).arrivals[0]], concurrency: 1, until: .requests(6))
        #expect(run.outcomes.allSatisfy { $0.status == .completed })
        #expect(server.connections >= 4)
    }

    @Test func noServer() throws {
        let server = FakeServer { _ in }
        server.stop()
        let outcomes = try client(server).offer(workload(2)).outcomes
        for outcome in outcomes { #expect(outcome.status == .failed("Connection refused")) }
        #expect {
            try client(server).measureTokensPerWord(seed: 1)
        } throws: {
            "\($0)".contains("does not answer a completion: Connection refused")
        }
        #expect {
            try ServerModels.first(of: Target(server.url), apiKey: nil)
        } throws: {
            "\($0)".contains("cannot reach \(server.url): Connection refused")
        }
    }

    @Test func somethingElseThanHTTP() throws {
        let (outcomes, _) = try offer(1) { connection in
            connection.send("220 mail.example ESMTP\r\n")
            return false
        }
        #expect(outcomes[0].status == .failed("the answer is not HTTP/1.1: it begins with '220 mail.example ESMTP'"))
    }

    @Test func silenceHasAnEnd() throws {
        let server = FakeServer { connection in
            while connection.readRequest() != nil { connection.pause(5000) }
        }
        defer { server.stop() }
        var client = try client(server)
        client.timeout = 0.2
        let outcomes = try client.offer(workload(2)).outcomes
        #expect(outcomes.allSatisfy { $0.status == .failed("no complete answer within 0.2 s") })
    }

    @Test func stopping() throws {
        let server = FakeServer { connection in
            while connection.readRequest() != nil {
                connection.send(Answers.streamHead + Answers.chunk(Answers.token("a", chains: 2)))
                connection.pause(5000)
            }
        }
        defer { server.stop() }
        var seen: [LoadClient.Progress] = []
        let run = try client(server).offer(workload(100, every: 0.05)) { progress in
            seen.append(progress)
            return progress.sent < 5
        }
        #expect(run.wasStopped && run.outcomes.count == 100)
        #expect(run.outcomes.allSatisfy { $0.status == .unfinished })
        let last = try #require(seen.last)
        #expect(run.outcomes.count { $0.sent != nil } == last.sent && last.inFlight == last.sent && last.ended == 0)
        let report = LoadReport(title: "", outcomes: run.outcomes, duration: 5, stopped: run.seconds)
        #expect(report.counts.judged == 0 && report.attainment == nil && report.counts.unfinished == 100)
    }

    @Test func longRequestsAreWrittenWhole() throws {
        let server = FakeServer { connection in
            while let request = connection.readRequest() {
                connection.send(request.utf8.count > 1_500_000 ? Answers.stream : Answers.overloaded)
            }
        }
        defer { server.stop() }
        let long = Arrival(time: 0, promptTokens: 400_000, outputTokens: 3)
        let run = try client(server).saturate([long], concurrency: 2, until: .requests(4))
        #expect(run.outcomes.allSatisfy { $0.status == .completed })
    }

    @Test func models() throws {
        let server = FakeServer { connection in
            while let request = connection.readRequest() {
                let isKnown = request.contains("\r\nAuthorization: Bearer key\r\n")
                connection.send(
                    request.hasPrefix("GET /v1/models ")
                        ? isKnown
                            ? Answers.plain("200 OK", #"{"data":[{"id":"first"},{"id":"x"}]}"#)
                            : Answers.plain("401 Unauthorized", "{}")
                        : Answers.plain("404 Not Found", "{}")
                )
            }
        }
        defer { server.stop() }
        #expect(try ServerModels.first(of: Target(server.url), apiKey: "key") == "first")
        #expect(try ServerModels.first(of: Target(server.url + "/other"), apiKey: "key") == nil)
        #expect {
            try ServerModels.first(of: Target(server.url), apiKey: nil)
        } throws: {
            "\($0)".contains("it needs a key; give one as CATENA_API_KEY")
        }
    }

    @Test func tokensPerWord() throws {
        let server = FakeServer { connection in
            while connection.readRequest() != nil {
                connection.send(
                    Answers.plain(
                        "200 OK",
                        #"{"choices":[{"text":"a","finish_reason":"length"}],"#
                            + #""usage":{"prompt_tokens":192,"completion_tokens":1}}"#
                    )
                )
            }
        }
        defer { server.stop() }
        #expect(try client(server).measureTokensPerWord(seed: 1) == 1.5)
    }
}

@Suite struct MeasuringTests {
    private func outcome(from start: Double, to end: Double, tokens: Int, isWhole: Bool = true) -> RequestOutcome {
        var outcome = RequestOutcome(Arrival(time: start, promptTokens: 1, outputTokens: tokens), limits: .init())
        for token in 0..<tokens {
            outcome.note(tokens: 1, chains: 1, at: start + (end - start) * Double(token) / Double(tokens - 1))
        }
        outcome.status = isWhole ? .completed : .unfinished
        return outcome
    }

    /// Two streams of 100 tokens/s each, whole answers and a last part: 200 tokens/s are four answers of 50.
    @Test func capacityCountsTokens() throws {
        var outcomes: [RequestOutcome] = []
        for start in stride(from: 0.0, to: 10, by: 1) {
            for _ in 0..<2 { outcomes.append(outcome(from: start, to: start + 1, tokens: 100, isWhole: start < 9)) }
        }
        let run = LoadClient.Run(outcomes: outcomes, seconds: 10)
        #expect(abs(try LoadClient.capacity(run, meanOutputTokens: 50) - 4) < 0.05)
        // Chunks of two tokens: the server's own count of whole answers says so.
        let merged = outcomes.map { outcome in
            var outcome = outcome
            if outcome.status == .completed { outcome.outputTokens *= 2 }
            return outcome
        }
        let doubled = LoadClient.Run(outcomes: merged, seconds: 10)
        #expect(abs(try LoadClient.capacity(doubled, meanOutputTokens: 50) - 8) < 0.1)
    }

    @Test func noCapacity() {
        var refused = outcome(from: 0, to: 1, tokens: 2)
        refused.status = .rejected(status: 503, code: "loading")
        #expect {
            try LoadClient.capacity(.init(outcomes: [refused], seconds: 1), meanOutputTokens: 1)
        } throws: {
            "\($0)" == "no request was answered: 503 loading"
        }
        #expect(throws: ClientError.self) {
            try LoadClient.capacity(.init(outcomes: [], seconds: 1), meanOutputTokens: 1)
        }
    }
}
