package landline.client

import java.io.IOException
import java.io.InterruptedIOException
import java.util.UUID
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionException
import kotlin.random.Random
import landline.client.models.Problem
import landline.client.models.RefreshSession
import landline.client.models.SignedIn
import landline.client.models.Tokens
import okhttp3.Call
import okhttp3.Interceptor
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.ResponseBody.Companion.toResponseBody

/** What a device keeps. [expiresAt] is in milliseconds of this device's clock. */
data class KeptTokens(val accessToken: String, val refreshToken: String, val expiresAt: Long)

/** Where tokens outlive the app: encrypted by a key of the Android Keystore; never a log. */
interface TokenStore {
    fun read(): KeptTokens?
    fun write(tokens: KeptTokens)
    fun clear()
}

/** Time in milliseconds, chance from 0 to less than 1, and new idempotency keys. */
open class Ambient {
    open fun now(): Long = System.currentTimeMillis()
    open fun random(): Double = Random.nextDouble()
    open fun sleep(milliseconds: Long) = Thread.sleep(milliseconds)
    open fun uuid(): String = UUID.randomUUID().toString()
}

/**
 * Keeps a person signed in: tokens, one refresh at a time, and sending again. What it does, case by
 * case, stands in scenarios.json. Its [client] is that of the APIs: `NotesApi(baseUrl, keeper.client)`.
 */
class SessionKeeper(
    private val baseUrl: String,
    private val store: TokenStore,
    /** For every request: `X-App-Platform` and `X-App-Version`. */
    private val headers: Map<String, String> = emptyMap(),
    /** The person must sign in again: the server says that the session is over. */
    private val onSessionEnded: (Problem) -> Unit = {},
    /** The app is too old; `storeUrl` is where a newer one is. */
    private val onUpgradeRequired: (Problem) -> Unit = {},
    private val ambient: Ambient = Ambient(),
    private val plain: OkHttpClient = OkHttpClient(),
) : Interceptor {
    val client: OkHttpClient = plain.newBuilder().apply { interceptors().add(0, this@SessionKeeper) }.build()
    private var refreshing: CompletableFuture<Outcome>? = null

    init {
        // Before the APIs encode anything.
        json
    }

    /** Keep the tokens that registering or signing in has given. */
    fun keep(tokens: Tokens): KeptTokens {
        val expiresAt = ambient.now() + tokens.expiresIn * 1000
        return KeptTokens(tokens.accessToken, tokens.refreshToken, expiresAt).also(store::write)
    }

    /** Sign out here, and on the server where it can be reached. */
    fun signOut() {
        val request = request("/v1/sessions/current").delete().build()
        try {
            client.newCall(request).execute().close()
        } finally {
            store.clear()
        }
    }

    override fun intercept(chain: Interceptor.Chain): Response {
        val builder = chain.request().newBuilder()
        headers.forEach(builder::header)
        val once = chain.request().method in listOf("POST", "PATCH")
        if (once && GIVES_TOKENS.containsMatchIn(chain.request().url.encodedPath)) {
            return told(chain.proceed(builder.build()), null)
        }
        if (once && chain.request().header(KEY) == null) builder.header(KEY, ambient.uuid())
        val request = builder.build()
        val early = early()
        if (early is Outcome.Answered) return early.to(request)
        val answer = attempts(request, early.tokens, chain.call(), chain::proceed)
        val stale = early.tokens?.takeIf { answer.code == 401 && answer.problem()?.code in STALE }
        if (stale == null) return told(answer, early.tokens)
        val refreshed = refresh(stale)
        if (refreshed.tokens == null) return (refreshed as? Outcome.Answered)?.to(request) ?: answer
        answer.close()
        return told(attempts(request, refreshed.tokens, chain.call(), chain::proceed), refreshed.tokens)
    }

    /** A request of the keeper's own. */
    private fun request(path: String) =
        Request.Builder().url(baseUrl.trimEnd('/') + path).also { headers.forEach(it::header) }

    /** The tokens of the next call, new ones where the old ones expire soon: those still do where
     * none can be had at the moment. */
    private fun early(): Outcome {
        val kept = store.read() ?: return Outcome.Kept(null)
        val left = kept.expiresAt - ambient.now()
        if (left > EARLY) return Outcome.Kept(kept)
        if (left <= 0) return refresh(kept)
        val outcome = try { refresh(kept) } catch (_: IOException) { Outcome.Kept(kept) }
        return if (outcome is Outcome.Answered && outcome.answer.code in PASSING) Outcome.Kept(kept) else outcome
    }

    /** New tokens, or the answer that refuses them. Whoever asks meanwhile is given the same. */
    private fun refresh(stale: KeptTokens): Outcome {
        val mine = CompletableFuture<Outcome>()
        val running = synchronized(this) { refreshing ?: mine.also { refreshing = it } }
        if (running === mine) {
            runCatching { exchange(stale) }
                .also { synchronized(this) { refreshing = null } }
                .fold(mine::complete, mine::completeExceptionally)
        }
        return try { running.join() } catch (failed: CompletionException) { throw failed.cause ?: failed }
    }

    private fun exchange(stale: KeptTokens): Outcome {
        val kept = store.read()
        // Signed out; or another call has refreshed.
        if (kept?.accessToken != stale.accessToken) return Outcome.Kept(kept)
        val body = json.encodeToString(RefreshSession(kept.refreshToken))
        val request = request("/v1/sessions/refresh").post(body.toRequestBody("application/json".toMediaType())).build()
        attempts(request, null, null) { plain.newCall(it).execute() }.use { answer ->
            if (answer.isSuccessful) {
                val tokens = json.decodeFromString<SignedIn>(answer.body.string()).tokens
                val signedOut = store.read()?.refreshToken != kept.refreshToken
                return Outcome.Kept(if (signedOut) null else keep(tokens))
            }
            // A 401 that is no problem document is not the API's: a hotel's network says such things.
            val refused = if (answer.code == 401) answer.problem() else null
            if (refused != null) end(refused, kept) else told(answer, kept)
            return Outcome.Answered(answer, answer.body.string())
        }
    }

    /** The app is told of what no single call can mend. */
    private fun told(answer: Response, tokens: KeptTokens?): Response {
        val problem = if (answer.code == 401 || answer.code == 426) answer.problem() else null
        if (problem?.code == "upgrade_required") onUpgradeRequired(problem)
        if (problem?.code == "session_revoked" && tokens != null) end(problem, tokens)
        return answer
    }

    private fun end(problem: Problem, tokens: KeptTokens) {
        // Somebody may have signed in meanwhile.
        if (store.read()?.refreshToken != tokens.refreshToken) return
        store.clear()
        onSessionEnded(problem)
    }

    /** Sends until there is an answer that will be no other in a moment. */
    private fun attempts(request: Request, tokens: KeptTokens?, call: Call?, send: (Request) -> Response): Response {
        val builder = request.newBuilder()
        if (tokens != null) builder.header("Authorization", "Bearer ${tokens.accessToken}")
        val end = ambient.now() + BUDGET
        var attempt = 1
        while (true) {
            var failed: IOException? = null
            val answer = try { send(builder.build()) } catch (error: IOException) { failed = error; null }
            val pause = pause(attempt, answer)
            val over = attempt++ == ATTEMPTS || ambient.now() + pause > end
            if (answer != null && (over || !answer.isPassing())) return answer
            // Nobody waits any more for a call that was cancelled.
            if (failed != null && (over || call?.isCanceled() == true)) throw failed
            answer?.close()
            try { ambient.sleep(pause) } catch (_: InterruptedException) { throw InterruptedIOException() }
        }
    }

    /** What the server asks for, and any time up to a bound on top, so that phones spread out. */
    private fun pause(attempt: Int, answer: Response?): Long {
        val asked = answer?.header("Retry-After")?.toLongOrNull() ?: 0
        val bound = minOf(LONGEST_PAUSE, FIRST_PAUSE shl (attempt - 1))
        return asked * 1000 + (ambient.random() * bound).toLong()
    }

    private fun Response.isPassing() =
        if (code == 409) problem()?.code == "request_in_progress" else code in PASSING

    private sealed class Outcome(val tokens: KeptTokens?) {
        /** What is there; nothing where nobody is signed in. */
        class Kept(tokens: KeptTokens?) : Outcome(tokens)
        class Answered(val answer: Response, private val text: String) : Outcome(null) {
            fun to(request: Request): Response = answer.newBuilder().request(request)
                .body(text.toResponseBody(answer.header("Content-Type")?.toMediaType())).build()
        }
    }

    private companion object {
        /** A call is sent so often, and anew for so many milliseconds, at most. */
        const val ATTEMPTS = 4
        const val BUDGET = 30_000L
        /** The longest pause before the second attempt; it doubles with each one, up to a bound. */
        const val FIRST_PAUSE = 200L
        const val LONGEST_PAUSE = 5_000L
        /** Tokens are refreshed so many milliseconds before they expire. */
        const val EARLY = 60_000L
        const val KEY = "Idempotency-Key"
        /** What may be otherwise a moment later. */
        val PASSING = listOf(429, 500, 502, 503, 504)
        val STALE = listOf("token_expired", "token_invalid")
        /** These give tokens, so they take none; a second of them would be another one. */
        val GIVES_TOKENS = Regex("/v1/(accounts|sessions|sessions/refresh)$")
    }
}
