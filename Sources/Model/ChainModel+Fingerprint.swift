// A name for the bytes of keys and values, kept with every KV snapshot.

import Tensor

extension ChainModel {
    /// Names the keys and values that this model writes for given tokens: models of one name write the same bytes into caches
    /// of one layout, whatever the machine, the threads and the chains loaded.
    ///
    /// `<the checkpoint's fingerprint>/<format>/<arithmetic>`, as in `0f...9c/bf16/fma-2`: chain 1's weights, how they are
    /// stored, and how products are computed. Kernels that round activations, or what attention multiplies, to bf16 have another
    /// arithmetic. With OpenBLAS the last bits depend on how a prompt is cut, and the name says so (`openblas-...`): such keys
    /// and values are those of the model, but not always the same bytes.
    ///
    /// Whether elements are stored as bf16 or f32, and in blocks of how many tokens, is the cache's ``BlockLayout``.
    public var kvFingerprint: String {
        let arithmetic = kernels.arithmetic(for: bodyFormat)
        return "\(checkpointFingerprint)/\(bodyFormat.rawValue)/\(usesOpenBLAS ? "openblas-" : "")\(arithmetic)"
    }
}
