// OpenSSL 3: TLS, and SHA-256. What it defines as macros, as functions and constants that Swift can see.
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static const uint64_t catena_ssl_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t catena_ssl_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t catena_ssl_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t catena_ssl_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;
/// An end of file without close_notify is reported by the transport, which knows it anyway.
static const uint64_t catena_ssl_ignore_unexpected_eof = SSL_OP_IGNORE_UNEXPECTED_EOF;

static inline int catena_ssl_set_minimum_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

static inline int catena_ssl_set_maximum_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}

static inline int catena_ssl_set_groups(SSL_CTX *context, const char *groups) {
    return SSL_CTX_set1_groups_list(context, groups);
}

/// Frees a connection's record buffers while they are empty: an idle connection then costs some 30 KiB less.
static inline void catena_ssl_release_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

static inline void catena_ssl_keep_no_sessions(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

/// A memory BIO that says "try again" when it is empty, and not "end of file".
static inline BIO *catena_bio_memory(void) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL) BIO_set_mem_eof_return(bio, -1);
    return bio;
}

/// What a memory BIO holds; valid until it is used again.
static inline long catena_bio_contents(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

static inline void catena_bio_clear(BIO *bio) { (void)BIO_reset(bio); }
