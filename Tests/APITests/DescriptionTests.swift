import Foundation
import HTTP1
import Pages
import Testing

@testable import API

/// `/openapi.json` says what the server does: the same paths, methods, fields, headers and error codes.
@Suite struct DescriptionTests {
    private let description = JSON(Data(Page.openAPI.body))
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/API")

    /// A request with a body that is in order, to be spoiled field by field.
    struct Operation: Sendable, CustomTestStringConvertible {
        var method: HTTPMethod
        var endpoint: Endpoint
        var schema: String
        var fields: [String: String]

        var path: String { endpoint.prefix.map { $0 + "x" } ?? endpoint.rawValue }
        var testDescription: String { "\(method.name) \(endpoint.rawValue)" }

        func body(_ name: String, _ value: String) -> String {
            let members = fields.merging([name: value]) { $1 }.map { "\"\($0)\":\($1)" }
            return "{\(members.joined(separator: ","))}"
        }

        /// The answer to the request with this value in place of the field's own.
        func send(_ name: String, _ value: String, headers: HTTPHeaders = [:]) -> FakeResponder {
            var all: HTTPHeaders = ["Content-Type": "application/json"]
            for (name, value) in headers { all.append(name, value) }
            return Fixture().send(method, path, headers: all, body: body(name, value))
        }
    }

    static let operations = [
        Operation(
            method: .post,
            endpoint: .completions,
            schema: "CompletionRequest",
            fields: ["prompt": "\"a\"", "stream": "true"]
        ),
        Operation(
            method: .post,
            endpoint: .chat,
            schema: "ChatRequest",
            fields: ["messages": #"[{"role":"user","content":"a"}]"#, "stream": "true"]
        ),
        Operation(method: .post, endpoint: .tokenize, schema: "TokenizeRequest", fields: ["prompt": "\"a\""]),
        Operation(method: .post, endpoint: .detokenize, schema: "DetokenizeRequest", fields: ["tokens": "[1]"]),
        Operation(method: .patch, endpoint: .request, schema: "RequestChange", fields: ["chains": "1"]),
    ]

    @Test func pathsAndMethods() {
        let paths = description["paths"]
        #expect(paths.names == Set(Endpoint.allCases.filter { $0 != .server }.map(\.rawValue)))
        for endpoint in Endpoint.allCases where endpoint != .server {
            let methods = endpoint.methods.filter { $0 != .head && $0 != .options }.map { $0.name.lowercased() }
            #expect(paths[endpoint.rawValue].names.subtracting(["parameters"]) == Set(methods), "\(endpoint)")
        }
    }

    /// Nothing is of type 7e99: a field that is read says so, and one that is unknown is ignored.
    @Test(arguments: operations)
    func fields(operation: Operation) throws {
        let described = description["components"]["schemas"][operation.schema]["properties"].names
        #expect(!described.isEmpty)
        let candidates = try Self.literals(under: "Requests", of: #/"([a-z][a-z_]*)"/#)
        #expect(described.isSubset(of: candidates))
        for name in candidates {
            let error = operation.send(name, "7e99").json["error"]
            let isRead = error["param"].string == name
            #expect(isRead == described.contains(name), "\(name): \(error)")
        }
    }

    @Test(arguments: [
        ("stream_options", "include_usage"), ("slo", "ttft_ms"), ("slo", "tpot_ms"), ("response_format", "type"),
    ])
    func fieldsWithinFields(field: String, name: String) {
        let operation = Self.operations[1]
        let property = description["components"]["schemas"][operation.schema]["properties"][field]
        let schema = field == "slo" ? description["components"]["schemas"]["Objectives"] : property
        #expect(schema["properties"].names.contains(name))
        #expect(operation.send(field, "{\"\(name)\":7e99}").response?.head.status == .badRequest)
    }

    /// No header may have this value; one that is read says so.
    @Test(arguments: operations)
    func headers(operation: Operation) throws {
        let method = operation.method.name.lowercased()
        let parameters = description["paths"][operation.endpoint.rawValue][method]["parameters"].list
        let described = Set(parameters.compactMap { $0["$ref"].string?.split(separator: "/").last.map(String.init) })
        #expect(described.contains("X-Request-Id"))
        let all = description["components"]["parameters"].names
        for name in all.subtracting(["X-Request-Id", "If-None-Match"]) {
            #expect(description["components"]["parameters"][name]["name"].string == name)
            let answer = operation.send("user", "null", headers: [name: "no such value"])
            let isRead = answer.json["error"]["message"].string?.contains("header '\(name)'") == true
            #expect(isRead == described.contains(name), "\(name)")
        }
        let read = try Self.literals(under: "Requests", of: #/"([Xx]-[A-Za-z-]*[a-z])"/#).map { $0.lowercased() }
        #expect(read.count > 4)
        #expect(Set(read).isSubset(of: Set(all.map { $0.lowercased() })))
    }

    @Test func errorCodes() throws {
        let error = description["components"]["schemas"]["Error"]["properties"]["error"]
        let described = error["properties"]["code"]["enum"].list.compactMap(\.string)
        #expect(try Set(described) == Self.literals(under: "", of: #/\bcode: "([a-z_]+)"/#))
        #expect(Set(error["required"].list.compactMap(\.string)) == ["message", "type", "param", "code"])
    }

    /// Every answer's headers are described, and no others.
    @Test func answerHeaders() throws {
        let set = try Self.literals(under: "Routes", of: #/append\("([A-Za-z-]+)", /#)
        // Told by the standard, not by us; and the policy of the page.
        let standard: Set = [
            "Allow", "Cache-Control", "Content-Security-Policy", "Referrer-Policy", "Vary", "X-Accel-Buffering",
            "X-Content-Type-Options",
        ]
        let limits = try Self.literals(under: "Access", of: #/"(x-ratelimit-[a-z-]+[a-z])"/#)
        #expect(limits.count == 6)
        let described = description["components"]["headers"].names
        #expect(set.union(limits).subtracting(standard) == described.subtracting(["X-Request-Id"]))
    }

    /// What the first group of a pattern finds in the sources of a folder of the module.
    private static func literals(under folder: String, of pattern: Regex<(Substring, Substring)>) throws -> Set<String>
    {
        let root = sources.appendingPathComponent(folder)
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)?.allObjects ?? []
        var found: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            found.formUnion(text.matches(of: pattern).map { String($0.output.1) })
        }
        return found
    }
}
