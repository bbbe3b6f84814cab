//! The second factor: shown in the midst of a login, set up, and taken away.

use reqwest::Method;

use super::{Api, ApiError};
use crate::client::http::SMALL_BODY;
use crate::proto::Secret;
use crate::proto::api::mfa::{Code, MfaShown, RecoveryCodes, TotpBegun, TotpStatus};

impl Api {
    /// Shows a second factor: a code of the authenticator, or a recovery code.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn show_mfa(&self, code: Secret<String>) -> Result<MfaShown, ApiError> {
        self.tell("/v1/mfa", Some(&Code { code })).await
    }

    /// Whether there is a second factor.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn totp(&self) -> Result<TotpStatus, ApiError> {
        self.json("/v1/totp", SMALL_BODY).await
    }

    /// Begins to set one up.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn begin_totp(&self) -> Result<TotpBegun, ApiError> {
        self.tell("/v1/totp", None).await
    }

    /// Ends the setting up.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn confirm_totp(&self, code: Secret<String>) -> Result<RecoveryCodes, ApiError> {
        self.tell("/v1/totp/confirm", Some(&Code { code })).await
    }

    /// Makes new recovery codes.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn renew_recovery_codes(&self, code: Secret<String>) -> Result<RecoveryCodes, ApiError> {
        self.tell("/v1/totp/recovery-codes", Some(&Code { code })).await
    }

    /// Takes the second factor away.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn remove_totp(&self, code: Secret<String>) -> Result<(), ApiError> {
        let response = self.ask_with(Method::POST, "/v1/totp/remove", Some(&Code { code })).await?;
        if response.status().is_success() { Ok(()) } else { Err(self.refusal(response).await) }
    }

    async fn tell<T: serde::de::DeserializeOwned>(&self, path: &str, code: Option<&Code>) -> Result<T, ApiError> {
        let response = self.ask_with(Method::POST, path, code).await?;
        if response.status().is_success() {
            Ok(self.http().read(response, SMALL_BODY).await?.json()?)
        } else {
            Err(self.refusal(response).await)
        }
    }
}
