// What Redis must do in one go, as Lua (https://redis.io/docs/latest/develop/programmability/eval-intro/).

enum SnapshotScripts {
    /// Makes a snapshot the session's newest, if the writer still has the lease and nobody wrote since it looked.
    ///
    /// KEYS: pointer, lease, index, chunks. ARGV: the lease's token, the version found before (0: none), the new pointer, its
    /// time to live and that of the chunks in milliseconds, the time in milliseconds since 1970, the session.
    static let commit = """
        if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'expired' end
        redis.call('DEL', KEYS[2])
        local old = redis.call('GET', KEYS[1])
        local version = old and string.match(old, '^1 (%d+) ')
        if version and version ~= ARGV[2] then return 'superseded' end
        for i = 4, #KEYS do
            if redis.call('PEXPIRE', KEYS[i], ARGV[5]) == 0 then return 'lost' end
        end
        redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
        redis.call('ZADD', KEYS[3], ARGV[6], ARGV[7])
        return 'written'
        """

    /// Gives a lease back, if it is still the writer's. KEYS: lease. ARGV: its token.
    static let release = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """

    /// Forgets a session, and takes the lease from whoever writes it. Returns the pointer.
    ///
    /// KEYS: pointer, lease, index. ARGV: the session.
    static let remove = """
        local pointer = redis.call('GET', KEYS[1])
        redis.call('DEL', KEYS[1], KEYS[2])
        redis.call('ZREM', KEYS[3], ARGV[1])
        return pointer
        """
}
