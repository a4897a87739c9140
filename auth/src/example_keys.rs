//! Keys whose private halves are published, as people copy them from documents.

/// Thumbprints (RFC 7638), each with where the key stands.
const PUBLISHED: [(&str, &str); 11] = [
    ("IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8", "RFC 7515, appendix A.2 (RSA)"),
    ("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", "RFC 7515, appendix A.3 (P-256)"),
    ("cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", "RFC 7517, appendix A (P-256)"),
    ("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7517, appendix A; RFC 7638 (RSA)"),
    ("9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI", "RFC 7520, section 3.3 (RSA)"),
    ("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037, appendix A (Ed25519)"),
    ("3YZxBJ12jO3n_mXt_q-j_Z-TFP1vt-NiI3OCf-fEnHQ", "RFC 8410, section 10.3 (Ed25519)"),
    ("Fa5JHFzFB8yHv0Dk3rGTgtCQPXPr3q8midyfylf8CUU", "RFC 9500, section 2.1 (RSA 2048)"),
    ("LIstkoCvByn4jk8oZPvigQkzTzO9UwnGnE-VMlkZvYQ", "RFC 9500, section 2.3 (P-256)"),
    ("19J8y7Zprt2-QKLjF2I5pVk0OELX6cY2AfaAv1LC_w8", "jwt.io (P-256)"),
    ("oGDmHqCJ7yzMkWEkrlZVHkvrHIyQwtlDmeq5ForUHeY", "jwt.io (RSA)"),
];

/// Those of this repository, which the unit tests beside them take for good ones.
const OURS: [&str; 3] = [
    "ZO8pNOG3FCgYHTQkjqIFW11RewFdDFiAc8qVlJ9-JsA",
    "VkcO4i9nbqbPFIV2261K6F6PDjYh8jZaOTa-C7wUDh0",
    "xkhlB-Dy40_F1JC96iT7B0Obz63mmAigtbQuAmGhU0s",
];

/// Whether anybody can sign with the key of this thumbprint.
pub(crate) fn is_published(thumbprint: &str) -> bool {
    PUBLISHED.iter().any(|(published, _)| *published == thumbprint)
        || (OURS.contains(&thumbprint) && !cfg!(test))
}
