import Testing

@testable import Metrics

@Suite struct MetricsTextTests {
    @Test func writesTheFormat() {
        var text = MetricsText()
        text.family("a_total", .counter, help: "One\\two\nthree \"four\".")
        text.sample("a_total", 12)
        text.sample("a_total", labels: [("x", "\\ \n \""), ("y", "é")], 0.25)
        text.sample("a_total", 3.0)
        let expected = #"""
            # HELP a_total One\\two\nthree "four".
            # TYPE a_total counter
            a_total 12
            a_total{x="\\ \n \"",y="é"} 0.25
            a_total 3

            """#
        #expect(String(decoding: text.bytes, as: UTF8.self) == expected)
    }

    @Test func writesHistograms() {
        let histogram = Histogram(bounds: [0.0005, 1])
        histogram.record(.milliseconds(500), times: 2)
        var text = MetricsText()
        text.sample("h_seconds", labels: [("model_name", "m")], histogram)
        let expected = """
            h_seconds_bucket{model_name="m",le="0.0005"} 0
            h_seconds_bucket{model_name="m",le="1"} 2
            h_seconds_bucket{model_name="m",le="+Inf"} 2
            h_seconds_sum{model_name="m"} 1
            h_seconds_count{model_name="m"} 2

            """
        #expect(String(decoding: text.bytes, as: UTF8.self) == expected)
    }
}
