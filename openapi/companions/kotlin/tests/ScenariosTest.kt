// Runs scenarios.json on the keeper, under a clock that only moves when somebody sleeps.

import java.io.File
import java.io.IOException
import java.time.Instant
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import landline.client.Ambient
import landline.client.KeptTokens
import landline.client.SessionKeeper
import landline.client.TokenStore
import landline.client.models.Tokens
import okhttp3.Interceptor
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.ResponseBody.Companion.toResponseBody
import okio.Buffer
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory

@Serializable data class Kept(val tokens: Int, val expiresIn: Long)
@Serializable data class Call(val send: String, val key: String? = null, val gives: JsonElement)
@Serializable data class Step(val after: Long = 0, val clock: Long = 0, val calls: List<Call>)
@Serializable data class Meanwhile(val keeps: Int? = null, val forgets: Boolean = false)
@Serializable data class Then(
    val kept: Int?,
    val ended: Int = 0,
    val upgrade: Int = 0,
    val pauses: List<Long> = emptyList(),
)
@Serializable data class Exchange(
    val takes: String,
    val token: String? = null,
    val key: String? = null,
    val refreshToken: String? = null,
    val times: Int = 1,
    val together: Boolean = false,
    val meanwhile: Meanwhile? = null,
    val gives: JsonElement,
)
@Serializable data class Scenario(
    val name: String,
    val kept: Kept? = null,
    val random: Double = 0.5,
    val steps: List<Step>,
    val server: List<Exchange>,
    val then: Then,
)
@Serializable data class Scenarios(val about: List<String>, val scenarios: List<Scenario>)

const val BASE = "https://api.example.com"
private val JSON = "application/json".toMediaType()

private fun tokens(number: Int, expiresIn: Long = 900) = Tokens(
    accessToken = "access-$number",
    expiresIn = expiresIn,
    refreshToken = "refresh-$number",
    tokenType = "Bearer",
)

/** The answer to a refresh, with all that the client's model wants to have. */
private fun signedIn(number: Int): String {
    val (id, at) = "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" to "2026-11-22T16:30:00.000Z"
    return """{
        "account": {"id": "$id", "email": "maya@example.com", "displayName": "Maya",
            "createdAt": "$at", "updatedAt": "$at", "version": 1},
        "session": {"id": "$id", "current": true, "createdAt": "$at", "lastUsedAt": "$at", "expiresAt": "$at"},
        "tokens": {"accessToken": "access-$number", "refreshToken": "refresh-$number",
            "tokenType": "Bearer", "expiresIn": 900}
    }"""
}

private class World(private val scenario: Scenario) : Ambient(), TokenStore, Interceptor {
    var clock = Instant.parse("2026-11-22T00:00:00Z").toEpochMilli()
    @Volatile var kept: KeptTokens? = null
    var ended = 0
    var upgrade = 0
    val pauses = mutableListOf<Long>()
    private val keys = AtomicInteger()
    private val expected = scenario.server.flatMap { exchange -> List(exchange.times) { exchange } }.toMutableList()
    private val held = mutableMapOf<Exchange, MutableSet<Thread>>()
    @Volatile private var callers = emptyList<Thread>()
    private val failures = mutableListOf<Throwable>()

    val keeper = SessionKeeper(
        baseUrl = BASE,
        store = this,
        onSessionEnded = { ended++; assertEquals(401, it.status) },
        onUpgradeRequired = { upgrade++; assertNotNull(it.storeUrl) },
        ambient = this,
        plain = OkHttpClient.Builder().addInterceptor(this).build(),
    )

    override fun now() = clock
    override fun random() = scenario.random
    override fun uuid() = "key-${keys.incrementAndGet()}"
    override fun sleep(milliseconds: Long) {
        pauses += milliseconds
        clock += milliseconds
    }

    override fun read() = kept
    override fun write(tokens: KeptTokens) { kept = tokens }
    override fun clear() { kept = null }

    /** All calls of the step at the same time; the first thing that was not as it should be. */
    fun run(step: Step) {
        clock += step.after + step.clock
        callers = step.calls.map { call ->
            thread(start = false) {
                runCatching { make(call) }.onFailure { synchronized(failures) { failures += it } }
            }
        }
        callers.forEach(Thread::start)
        callers.forEach(Thread::join)
        failures.firstOrNull()?.let { throw it }
    }

    fun assertDone() = assertEquals(emptyList<Exchange>(), expected, "these requests did not come")

    private fun make(call: Call) {
        val nothing = call.gives == JsonPrimitive("nothing")
        if (call.send == "sign out") {
            if (nothing) assertThrows(IOException::class.java, keeper::signOut) else keeper.signOut()
            return
        }
        val (method, path) = call.send.split(" ")
        val body = if (method == "GET" || method == "DELETE") null else "{}".toRequestBody(JSON)
        val request = Request.Builder().url(BASE + path).method(method, body)
        call.key?.let { request.header("Idempotency-Key", it) }
        if (nothing) {
            assertThrows(IOException::class.java) { keeper.client.newCall(request.build()).execute() }
            return
        }
        val gives = call.gives.jsonObject
        keeper.client.newCall(request.build()).execute().use { answer ->
            assertEquals(gives.number("status"), answer.code)
            val code = runCatching { Json.parseToJsonElement(answer.body.string()).jsonObject.text("code") }
            assertEquals(gives.text("code"), code.getOrNull())
        }
    }

    /** The server. */
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        val exchange = try {
            synchronized(expected) { expected.removeFirst().also { compare(request, it) } }
        } catch (unexpected: Throwable) {
            synchronized(failures) { failures += unexpected }
            throw IOException("this request should not have come", unexpected)
        }
        if (exchange.together) awaitEverybody(exchange)
        if (exchange.meanwhile?.forgets == true) kept = null
        exchange.meanwhile?.keeps?.let { keeper.keep(tokens(it)) }
        return answer(request, exchange.gives)
    }

    private fun compare(request: Request, exchange: Exchange) {
        val text = Buffer().also { request.body?.writeTo(it) }.readUtf8()
        val takes = "${request.method} ${request.url.encodedPath}"
        val refreshes = takes == "POST /v1/sessions/refresh"
        val came = Exchange(
            takes = takes,
            token = request.header("Authorization")?.removePrefix("Bearer "),
            key = request.header("Idempotency-Key"),
            refreshToken = if (refreshes) Json.parseToJsonElement(text).jsonObject.text("refreshToken") else null,
            gives = JsonPrimitive("nothing"),
        )
        val same = exchange.copy(times = 1, together = false, meanwhile = null, gives = came.gives)
        assertEquals(same, came)
        val empty = request.method == "GET" || request.method == "DELETE"
        if (!refreshes) assertEquals(if (empty) "" else "{}", text)
    }

    /** Until every call of the step waits: here, or for one that is here. */
    private fun awaitEverybody(exchange: Exchange) {
        val here = synchronized(held) { held.getOrPut(exchange, ::mutableSetOf).also { it += Thread.currentThread() } }
        fun waits(call: Thread) = synchronized(held) { call in here } || call.state == Thread.State.WAITING
        while (!callers.all(::waits)) Thread.onSpinWait()
    }

    private fun answer(request: Request, gives: JsonElement): Response {
        if (gives == JsonPrimitive("nothing")) throw IOException("the answer is lost")
        val (status, code) = (gives.jsonObject.number("status") ?: 200) to gives.jsonObject.text("code")
        val problem = """{"type": "urn:landline:problem:$code", "title": "$code", "status": $status,
            "code": "$code", "detail": "$code", "requestId": "1", "storeUrl": "https://apps.example.com/app"}"""
        val text = gives.jsonObject.text("text")
        val type = if (code != null) "application/problem+json" else if (text != null) "text/html" else "application/json"
        val body = text ?: gives.jsonObject.number("tokens")?.let(::signedIn) ?: if (code != null) problem else "{}"
        val builder = Response.Builder().request(request).protocol(Protocol.HTTP_1_1).code(status).message("")
        gives.jsonObject.number("retryAfter")?.let { builder.header("Retry-After", "$it") }
        return builder.header("Content-Type", type).body(body.toResponseBody(type.toMediaType())).build()
    }
}

private fun JsonObject.text(name: String) = get(name)?.jsonPrimitive?.content
private fun JsonObject.number(name: String) = text(name)?.toInt()

class ScenariosTest {
    @TestFactory
    fun scenarios(): List<DynamicTest> =
        Json.decodeFromString<Scenarios>(File("scenarios.json").readText()).scenarios.map { scenario ->
            dynamicTest(scenario.name) {
                val world = World(scenario)
                scenario.kept?.let { world.keeper.keep(tokens(it.tokens, it.expiresIn)) }

                scenario.steps.forEach(world::run)

                world.assertDone()
                val kept = world.kept?.refreshToken?.removePrefix("refresh-")?.toInt()
                assertEquals(scenario.then, Then(kept, world.ended, world.upgrade, world.pauses))
            }
        }
}
