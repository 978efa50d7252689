import Foundation
import HTTP1
import Testing

@testable import API

/// The route table.
@Suite struct EndpointTests {
    @Test(arguments: Endpoint.allCases)
    func everyPathFindsItsEndpoint(endpoint: Endpoint) throws {
        let path = endpoint.prefix.map { $0 + "x%20y/z" }.map(String.init) ?? endpoint.rawValue
        let form: RequestTarget.Form = endpoint == .server ? .asterisk : .origin
        let route = try #require(Route(RequestTarget(form: form, path: path)))
        #expect(route.endpoint == endpoint)
        #expect(route.parameter == (endpoint.prefix == nil ? "" : "x y/z"))
        #expect(endpoint.methods.last == .options)
    }

    /// A parameter is the rest of the path, so no path may begin with another's prefix.
    @Test func pathsAreDistinct() {
        for endpoint in Endpoint.allCases {
            for other in Endpoint.allCases where other != endpoint {
                #expect(endpoint.prefix.map { other.rawValue.hasPrefix($0) } != true)
            }
        }
    }

    /// docs/api.md begins each endpoint's line in its table with the methods and the path.
    @Test(arguments: Endpoint.allCases.filter { $0 != .server })
    func isDocumented(endpoint: Endpoint) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let text = try String(contentsOf: root.appendingPathComponent("docs/api.md"), encoding: .utf8)
        let methods = endpoint.methods.filter { $0 != .head && $0 != .options }.map(\.name)
        #expect(text.contains("| `\(methods.joined(separator: "`, `"))` | `\(endpoint.rawValue)` |"))
    }

    @Test(arguments: ["/v1/models/{model}", "/v1/requests/{id}"])
    func templatesAreNotPaths(path: String) {
        #expect(Route(RequestTarget(path: path))?.parameter.hasPrefix("{") == true, "an odd name, but a name")
        #expect(Route(RequestTarget(form: .origin, path: "*")) == nil)
    }
}
