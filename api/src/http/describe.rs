use std::{collections::BTreeMap, future::Future};

use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Content, ObjectBuilder, RefOr, Required, Response, ResponseBuilder, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::Type,
    },
};

use super::{Answer, ENTITY_TAGS};

/// What a handler's signature says of its operation, gathered argument by argument.
#[derive(Default)]
pub struct Description {
    /// Parameters of path and query. Those of the path come without their names.
    pub parameters: Vec<Parameter>,
    /// The body, where there is one.
    pub request_body: Option<RequestBody>,
    /// The answer when all is well.
    pub responses: BTreeMap<String, Response>,
    /// Every schema that the above refer to.
    pub schemas: Vec<(String, RefOr<Schema>)>,
    /// The kinds of things that the operation keeps, each with the type that is one.
    pub kinds: Vec<(&'static str, &'static str)>,
    /// Whether the handler asks who is calling.
    pub takes_caller: bool,
    /// Whether the handler asks who is calling, if anybody says.
    pub takes_caller_if_any: bool,
    /// Whether the handler takes a precondition; the flag inside says whether it insists on one.
    pub precondition: Option<bool>,
    /// Whether the handler insists on an idempotency key, by a [`Lease`](super::Lease).
    pub leases: bool,
    /// Whether the handler asks which version of the app is calling.
    pub takes_device: bool,
    /// Decodes and validates a body as the handler's argument does.
    pub decode_body: Option<Decode<[u8]>>,
    /// Decodes and validates a query string as the handler's argument does.
    pub decode_query: Option<Decode<str>>,
}

/// Decodes and validates what a request says, and keeps nothing of it.
pub type Decode<Text> = fn(&Text) -> super::Result<()>;

impl Description {
    /// The operation takes a JSON body of this model.
    pub fn takes_body<T: ToSchema>(&mut self) {
        let content = Content::new(Some(self.schema::<T>()));
        let body = RequestBodyBuilder::new().content("application/json", content);
        self.request_body = Some(body.required(Some(Required::True)).build());
    }

    /// The operation takes a query of this model.
    pub fn takes_query<T: IntoParams>(&mut self) {
        self.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
    }

    /// The next parameter of the path is of this type.
    pub fn takes_path_parameter<T: PartialSchema>(&mut self) {
        let parameter = ParameterBuilder::new()
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(T::schema()));
        self.parameters.push(parameter.build());
    }

    /// The operation is done only where the resource is as the request says.
    pub fn takes_precondition(&mut self, required: bool) {
        let description = "The `ETag` of the resource as the client knows it; `*` for any.";
        let tags = ObjectBuilder::new().schema_type(Type::String).pattern(Some(ENTITY_TAGS));
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(if required { Required::True } else { Required::False })
            .description(Some(description))
            .schema(Some(tags.examples(["\"3\""])));
        self.parameters.push(parameter.build());
        self.precondition = Some(required);
    }

    /// The operation answers with this status and, where there is one, a body of this view.
    pub fn answers(&mut self, status: http::StatusCode, response: ResponseBuilder) {
        self.responses.insert(status.as_u16().to_string(), response.build());
    }

    /// JSON of this view, and the view among the schemas.
    pub fn content<T: ToSchema>(&mut self) -> Content {
        Content::new(Some(self.schema::<T>()))
    }

    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.clone(), T::schema()));
        utoipa::openapi::Ref::from_schema_name(name).into()
    }
}

/// An argument of a handler that knows what it means for the operation.
pub trait Describe {
    /// Say it.
    fn describe(description: &mut Description);
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an endpoint",
    note = "it is async, and each of its arguments describes itself: Owned, Path, Query, Json, ..",
    note = "a body is a `#[request]`, a query a `#[request(query)]`, an answer holds a `#[view]`",
    note = "it gives a Result<Json<..>>, Result<Created<..>> or Result<NoContent> of `crate::http`"
)]
/// A handler whose arguments and answer describe its operation: the signature is the contract.
pub trait Signature<Arguments> {
    /// Say what it takes and gives.
    fn describe(description: &mut Description);
}

macro_rules! signatures {
    ($($argument:ident)*) => {
        impl<F, Fut, R, $($argument,)*> Signature<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut,
            Fut: Future<Output = super::Result<R>>,
            R: Answer,
            $($argument: Describe,)*
        {
            fn describe(description: &mut Description) {
                $($argument::describe(description);)*
                R::describe(description);
            }
        }
    };
}

signatures!();
signatures!(A);
signatures!(A B);
signatures!(A B C);
signatures!(A B C D);
signatures!(A B C D E);
signatures!(A B C D E G);
