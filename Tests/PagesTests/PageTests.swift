import COpenSSL
import Foundation
import Testing

@testable import Pages

@Suite struct PageTests {
    private let html = String(decoding: Page.playground.body, as: UTF8.self)

    /// Browsers refuse what the policy does not name by its hash, so a change of the page needs a change of the constant.
    @Test(arguments: [("script", Page.scriptHash), ("style", Page.styleHash)])
    func policyNamesTheInlineCode(element: String, hash: String) throws {
        let parts = html.components(separatedBy: "<\(element)>")
        #expect(parts.count == 2, "one element <\(element)>, without attributes")
        let text = try #require(parts.last?.components(separatedBy: "</\(element)>").first)
        let digest = SHA256.base64(text)
        #expect(hash == digest, "in Page.swift the hash of the page's \(element) must be \(digest)")
        #expect(Page.playground.policy?.contains("\(element)-src 'sha256-\(digest)'") == true)
    }

    @Test func policyLetsNothingElseIn() throws {
        let policy = try #require(Page.playground.policy)
        #expect(policy.hasPrefix("default-src 'none'; "))
        #expect(policy.contains("connect-src 'self'"))
        #expect(!policy.contains("unsafe"))
        #expect(Page.openAPI.policy == nil)
    }

    /// The policy would stop them; the page must not even try.
    @Test(arguments: [
        " onclick=", " onload=", " style=", " src=", "http://", "https://", "@import", "url(", "eval(", "innerHTML",
    ])
    func pageAsksNobodyElse(forbidden: String) {
        #expect(!html.contains(forbidden))
    }

    @Test func entityTags() {
        let page = Page(Array("a".utf8), "text/plain")
        #expect(page.entityTag == Page(Array("a".utf8), "text/html").entityTag)
        #expect(page.entityTag != Page(Array("b".utf8), "text/plain").entityTag)
        #expect(page.entityTag.hasPrefix("W/\"") && page.entityTag.hasSuffix("\""))
        #expect(Page.playground.entityTag != Page.openAPI.entityTag)
    }

    @Test func matching() {
        let page = Page(Array("a".utf8), "text/plain")
        let tag = page.entityTag
        for field in [tag, String(tag.dropFirst(2)), "*", "\"x\", \(tag)", "\(tag) ,\"x\"", "\"x\",\t\(tag)"] {
            #expect(page.matches(field), "\(field)")
        }
        for field in ["", ",", "\"x\"", "W/\"x\"", tag + "x", String(tag.dropLast())] {
            #expect(!page.matches(field), "\(field)")
        }
    }
}

private enum SHA256 {
    static func base64(_ text: String) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let bytes = Array(text.utf8)
        #expect(EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil) == 1)
        return Data(digest.prefix(Int(length))).base64EncodedString()
    }
}
