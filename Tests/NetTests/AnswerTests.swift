import HTTP1
import Net
import TestSupport
import Testing

@Suite struct AnswerTests {
    @Test func keepAliveServesOneRequestAfterAnother() throws {
        let server = try TestServer()
        let client = try server.client()
        for path in ["/one", "/two", "/three"] {
            client.send(path.get)
            let answer = try client.readAnswer()
            #expect(answer.status == 200)
            #expect(answer.body == path)
            #expect(answer.headers["connection"] == nil)
            #expect(answer.headers["date"]?.hasSuffix("GMT") == true)
        }
        #expect(server.server.connectionCount == 1)
    }
}
