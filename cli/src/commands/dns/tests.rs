//! The whole path: a request, a service that answers it, the text that comes out.
