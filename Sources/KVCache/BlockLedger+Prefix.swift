// Blocks that sequences with the same first tokens share without knowing of each other.

extension BlockLedger {
    /// A table of the longest known prefix of `tokens`, in full blocks. It holds its blocks like any other table; empty
    /// when nothing is known.
    ///
    /// ```swift
    /// var table = ledger.adopt(prompt, salt: tenant, atMost: prompt.count - 1)  // the last token gives the first logits
    /// ```
    ///
    /// - Parameters:
    ///   - salt: only blocks that were published with the same salt are found; nil is a salt of its own
    ///   - limit: the most tokens to take; what it cuts inside a block is left out
    public mutating func adopt(_ tokens: [Int32], salt: String?, atMost limit: Int) -> BlockTable {
        var table = BlockTable()
        table.blocks = index.longestPrefix(of: tokens, limit: max(limit, 0) / blockTokens, salt: salt)
        table.publishedBlocks = table.blocks.count
        table.tokenCount = table.blocks.count * blockTokens
        for block in table.blocks { retain(block) }
        return table
    }

    /// Makes the full blocks of a table known, so that others adopt them. Walks on from where the last call stopped:
    /// O(new full blocks).
    ///
    /// A block whose contents are known already is given up for the known one, which holds the same bytes. If other tables
    /// held it, they hold another block than this table now, and blocks after it that all of them hold must wait: were
    /// they known to follow on this table's block, another table would hold a block whose prefix nobody holds.
    ///
    /// - Parameters:
    ///   - tokens: the tokens of the table from position 0 on, and maybe more
    ///   - computed: how many of them have their keys and values in the blocks
    ///   - salt: the salt that all calls for this table, and for those it was forked or adopted from, give
    public mutating func publish(_ table: inout BlockTable, tokens: [Int32], upTo computed: Int, salt: String?) {
        precondition(computed <= table.tokenCount && computed <= tokens.count)
        while table.publishedBlocks < computed / blockTokens {
            let place = table.publishedBlocks
            let own = table.blocks[place]
            let parent = place == 0 ? nil : table.blocks[place - 1]
            if let known = index.block(after: parent, tokens, from: place * blockTokens, salt: salt) {
                if known != own { replace(place, of: &table, by: known) }
            } else {
                if table.mayDifferFromForks && references(to: own) > 1 { return }
                index.insert(own, after: parent, tokens, from: place * blockTokens, salt: salt)
            }
            table.publishedBlocks += 1
        }
    }

    private mutating func replace(_ place: Int, of table: inout BlockTable, by known: BlockID) {
        let own = table.blocks[place]
        if references(to: own) > 1 { table.mayDifferFromForks = true }
        retain(known)
        release(own)
        table.blocks[place] = known
    }
}
