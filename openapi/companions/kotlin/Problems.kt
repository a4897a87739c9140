package landline.client

import landline.client.infrastructure.ClientError
import landline.client.infrastructure.ClientException
import landline.client.infrastructure.Serializer
import landline.client.infrastructure.ServerError
import landline.client.infrastructure.ServerException
import landline.client.models.Problem
import okhttp3.Response

/** The client's JSON. What is absent is left out: by itself the generator's code sends null. */
internal val json by lazy {
    Serializer.kotlinxSerializationJsonConfiguration = { explicitNulls = false }
    Serializer.kotlinxSerializationJson
}

/** The problem in an answer, which stays readable; none where a gateway speaks. */
internal fun Response.problem(): Problem? {
    if (header("Content-Type")?.startsWith("application/problem+json") != true) return null
    return json.decodeFromString<Problem>(peekBody(Long.MAX_VALUE).string())
}

/** An answer that is no success. */
class ProblemException(
    val status: Int,
    /** Nothing where a gateway has answered in words of its own. */
    val problem: Problem?,
    cause: Throwable,
) : RuntimeException(problem?.detail ?: "The answer is $status.", cause) {
    /** As `token_expired`; of an answer that is no problem document, `http_502`. */
    val code: String get() = problem?.code ?: "http_$status"
}

/** What the call gives. Throws a [ProblemException] where the answer is no success. */
fun <T> orProblem(call: () -> T): T =
    try {
        call()
    } catch (error: ClientException) {
        throw ProblemException(error.statusCode, problem((error.response as? ClientError<*>)?.body), error)
    } catch (error: ServerException) {
        throw ProblemException(error.statusCode, problem((error.response as? ServerError<*>)?.body), error)
    }

private fun problem(body: Any?): Problem? =
    (body as? String)?.let { runCatching { json.decodeFromString<Problem>(it) }.getOrNull() }
