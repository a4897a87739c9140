// The story of a phone, against a local-dev that the check has started: LANDLINE_URL is where,
// LANDLINE_SIGNING_KEY is the file of its key.

import java.io.File
import java.io.IOException
import java.security.KeyFactory
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.PKCS8EncodedKeySpec
import java.util.Base64
import java.util.UUID
import kotlin.concurrent.thread
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import landline.client.KeptTokens
import landline.client.ProblemException
import landline.client.SessionKeeper
import landline.client.TokenStore
import landline.client.apis.AccountsApi
import landline.client.apis.NotesApi
import landline.client.apis.SessionsApi
import landline.client.infrastructure.Success
import landline.client.models.Colour
import landline.client.models.CreateAccount
import landline.client.models.CreateNote
import landline.client.models.CreateSession
import landline.client.models.Note
import landline.client.models.UpdateNote
import landline.client.orProblem
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test

// guide: store
class MemoryStore : TokenStore {
    @Volatile var kept: KeptTokens? = null

    override fun read() = kept
    override fun write(tokens: KeptTokens) { kept = tokens }
    override fun clear() { kept = null }
}
// end

private val email = "maya.${UUID.randomUUID()}@example.com"
private const val PASSWORD = "likes-lighthouses"

class StoryTest {
    private val baseUrl = checkNotNull(System.getenv("LANDLINE_URL")) { "LANDLINE_URL says where local-dev is" }

    /** Requests that were answered, as `POST /v1/notes 201`; the next answer is lost where asked. */
    private val answered = mutableListOf<String>()
    private var loseNextAnswer = false
    private val ended = mutableListOf<String>()
    private val store = MemoryStore()

    private val network = Interceptor { chain ->
        val answer = chain.proceed(chain.request())
        synchronized(answered) { answered += "${answer.request.method} ${answer.request.url.encodedPath} ${answer.code}" }
        if (loseNextAnswer) {
            loseNextAnswer = false
            answer.close()
            throw IOException("the answer is lost")
        }
        answer
    }

    // guide: client
    private val keeper = SessionKeeper(
        baseUrl = baseUrl,
        store = store,
        headers = mapOf("X-App-Platform" to "android", "X-App-Version" to "2.3.0"),
        onSessionEnded = { problem -> ended += problem.code },
        plain = OkHttpClient.Builder().addInterceptor(network).build(),
    )
    private val accounts = AccountsApi(baseUrl, keeper.client)
    private val sessions = SessionsApi(baseUrl, keeper.client)
    private val notes = NotesApi(baseUrl, keeper.client)
    // end

    @Test
    fun `the story of a phone`() {
        register()
        signIn()
        val note = create()
        pageThrough()
        changeOnCondition(note)
        sendAgain()
        refresh()
        meetAnExpiredToken()
        signOut()
        println("the story of a phone in Kotlin: ${answered.size} requests were answered")
    }

    /** Runs some of the story, and gives the requests that were answered meanwhile. */
    private fun during(part: () -> Unit): List<String> {
        val before = answered.size
        part()
        return answered.drop(before)
    }

    /** What the server has to say against it. */
    private fun problem(call: () -> Unit): String =
        assertThrows(ProblemException::class.java) { orProblem(call) }.code

    private fun register() {
        // guide: register
        val person = CreateAccount(email = email, password = PASSWORD, displayName = "Maya", deviceName = "Maya's phone")
        val signedIn = orProblem { accounts.createAccount(person) }
        keeper.keep(signedIn.tokens)
        // end
        assertEquals("Maya", signedIn.account.displayName)
        assertEquals("email_taken", problem { accounts.createAccount(person) })
        val wrong = person.copy(displayName = "", password = "short")
        val refused = assertThrows(ProblemException::class.java) { orProblem { accounts.createAccount(wrong) } }
        val pointers = refused.problem?.errors?.map { "${it.pointer} ${it.code}" }
        assertEquals(listOf("/displayName length", "/password bytes"), pointers)
    }

    private fun signIn() {
        assertEquals("credentials_invalid", problem { sessions.createSession(CreateSession(email, "of somebody else")) })
        // guide: sign in
        val signedIn = orProblem { sessions.createSession(CreateSession(email = email, password = PASSWORD)) }
        keeper.keep(signedIn.tokens)
        // end
        // As an app has it, with nothing between the keeper and the network.
        val items = SessionsApi(baseUrl, SessionKeeper(baseUrl, store).client).listSessions().items
        assertEquals(listOf(true, "android", 2), listOf(items[0].current, items[0].platform, items.size))
    }

    private fun create(): Note {
        // guide: create
        val packing = CreateNote(title = "Packing list", tags = listOf("travel"), colour = Colour.PINK)
        val note = orProblem { notes.createNote(packing) }
        // end
        assertEquals(listOf("Packing list", listOf("travel"), "pink"), listOf(note.title, note.tags, note.colour))
        assertEquals(listOf(false, 1L), listOf(note.pinned, note.version))
        // A phone that has no network yet makes the id itself.
        val id = UUID.randomUUID()
        assertEquals(201, notes.putNoteWithHttpInfo(id, packing, null, null, null, null).statusCode)
        assertEquals(200, notes.putNoteWithHttpInfo(id, packing, null, null, null, null).statusCode)
        return note
    }

    private fun pageThrough() {
        for (title in listOf("Two", "Three", "Four")) notes.createNote(CreateNote(title = title, tags = listOf("counted")))
        // guide: pages
        fun notesWithTag(tag: String): Sequence<Note> = sequence {
            var cursor: String? = null
            do {
                val page = orProblem { notes.listNotes(tag = tag, limit = 2, cursor = cursor) }
                yieldAll(page.items)
                cursor = page.nextCursor
            } while (cursor != null)
        }
        // end
        assertEquals(listOf("Four", "Three", "Two"), notesWithTag("counted").map { it.title }.toList())
        assertEquals("cursor_invalid", problem { notes.listNotes(cursor = "of-another-listing") })
    }

    private fun changeOnCondition(note: Note) {
        // guide: change
        val etag = "\"${note.version}\""
        val changed = orProblem { notes.updateNote(note.id, UpdateNote(pinned = true), ifMatch = etag) }
        // end
        assertEquals(2, changed.version)
        val shown = notes.getNoteWithHttpInfo(note.id, null, null, null) as Success<*>
        assertEquals(listOf("\"2\""), shown.headers["etag"])
        assertEquals(304, notes.getNoteWithHttpInfo(note.id, "\"2\"", null, null).statusCode)
        // Somebody who has the note as it was, as another device may.
        // guide: conflict
        try {
            orProblem { notes.updateNote(note.id, UpdateNote(title = "Mine"), ifMatch = etag) }
        } catch (error: ProblemException) {
            if (error.code != "precondition_failed") throw error
            val theirs = orProblem { notes.getNote(note.id) }
            val merged = UpdateNote(title = "Merged")
            orProblem { notes.updateNote(note.id, merged, ifMatch = "\"${theirs.version}\"") }
        }
        // end
        val merged = notes.getNote(note.id)
        assertEquals(listOf("Merged", true, 3L), listOf(merged.title, merged.pinned, merged.version))
    }

    private fun sendAgain() {
        val once = CreateNote(title = "Once")
        val seen = during {
            loseNextAnswer = true
            val answer = notes.createNoteWithHttpInfo(once, null, null, null)
            assertEquals(listOf("true"), answer.headers["idempotency-replayed"])
        }
        assertEquals(listOf("POST /v1/notes 201", "POST /v1/notes 201"), seen)
        // guide: key
        val key = UUID.randomUUID().toString()
        val first = orProblem { notes.createNote(once, idempotencyKey = key) }
        val second = orProblem { notes.createNote(once, idempotencyKey = key) }
        // end
        assertEquals(first, second)
        assertEquals("idempotency_key_reused", problem { notes.createNote(CreateNote("Another"), idempotencyKey = key) })
    }

    private fun refresh() {
        val before = checkNotNull(store.kept)
        store.kept = before.copy(expiresAt = System.currentTimeMillis() + 1_000)
        val refreshed = "POST /v1/sessions/refresh 200"
        assertEquals(listOf(refreshed, "GET /v1/account 200"), during { accounts.getAccount() })
        assertNotEquals(before.refreshToken, store.kept?.refreshToken)
        // A phone that lost the answer to a refresh is given the same successor again.
        store.kept = store.kept?.copy(expiresAt = System.currentTimeMillis() - 1)
        loseNextAnswer = true
        assertEquals(listOf(refreshed, refreshed, "GET /v1/account 200"), during { accounts.getAccount() })
    }

    private fun meetAnExpiredToken() {
        store.kept = store.kept?.let { it.copy(accessToken = aged(it.accessToken)) }
        val seen = during {
            // The second call may come when the first has refreshed, and has no old token then.
            listOf(thread { accounts.getAccount() }, thread { notes.listNotes() }).forEach(Thread::join)
        }
        assertEquals(1, seen.count { it == "POST /v1/sessions/refresh 200" })
        val good = seen.filter { it.startsWith("GET") && it.endsWith("200") }.sorted()
        assertEquals(listOf("GET /v1/account 200", "GET /v1/notes 200"), good)
        assertEquals(true, seen.any { it.endsWith("401") })
    }

    private fun signOut() {
        val before = checkNotNull(store.kept)
        // guide: sign out
        keeper.signOut()
        // end
        assertEquals("token_missing", problem { accounts.getAccount() })
        assertEquals(emptyList<String>(), ended)
        // The tokens that it had lead nowhere any more.
        store.kept = before.copy(accessToken = aged(before.accessToken))
        assertEquals("session_revoked", problem { accounts.getAccount() })
        assertEquals(listOf("session_revoked"), ended)
        assertEquals(null, store.kept)
    }

    private val signingKey: PrivateKey by lazy {
        val pem = File(checkNotNull(System.getenv("LANDLINE_SIGNING_KEY"))).readLines()
        val der = Base64.getDecoder().decode(pem.filterNot { it.startsWith("-----") }.joinToString(""))
        KeyFactory.getInstance("EC").generatePrivate(PKCS8EncodedKeySpec(der))
    }

    /** The token as it would be an hour later: signed with the server's key, only older. */
    private fun aged(token: String): String {
        val (header, claims) = token.split(".")
        val members = Json.parseToJsonElement(String(Base64.getUrlDecoder().decode(claims))).jsonObject
        val older = members.mapValues { (name, value) ->
            if (name == "iat" || name == "exp") JsonPrimitive(value.jsonPrimitive.long - 3600) else value
        }
        val base64 = Base64.getUrlEncoder().withoutPadding()
        val message = "$header.${base64.encodeToString(JsonObject(older).toString().toByteArray())}"
        val signature = Signature.getInstance("SHA256withECDSAinP1363Format")
        signature.initSign(signingKey)
        signature.update(message.toByteArray())
        return "$message.${base64.encodeToString(signature.sign())}"
    }
}
