//! The limits of the stream, and whether an address is banned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::de;

/// The limits of the stream for an address, from `GET /api/pro/v2/risk-limit-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RiskLimits {
    /// The address that the limits are for (`ip`).
    pub ip: String,
    /// The limits (`webSocket`).
    pub web_socket: WebSocketLimits,
}

/// The stream's limits, within [`RiskLimits`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WebSocketLimits {
    /// Whether the address is banned (`status`).
    pub status: BanStatus,
    /// How many sessions may be open (`limits`).
    pub limits: SessionLimits,
    /// How many messages a minute may be sent (`messageThreshold`).
    pub message_threshold: MessageThreshold,
}

/// Whether an address is banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BanStatus {
    /// Whether it is (`isBanned`).
    pub is_banned: bool,
    /// Until when, UTC milliseconds; -1 when it is not (`bannedUntil`).
    #[serde(deserialize_with = "de::i64")]
    pub banned_until: i64,
    /// The code of what it is banned for; 0 when it is not (`violationCode`).
    #[serde(deserialize_with = "de::i64")]
    pub violation_code: i64,
    /// The same in words (`reason`).
    #[serde(default, deserialize_with = "de::string")]
    pub reason: String,
}

/// How many sessions may be open at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionLimits {
    /// For an address and an account group (`maxWebSocketSessionsPerIpAccountGroup`).
    #[serde(deserialize_with = "de::u32")]
    pub max_web_socket_sessions_per_ip_account_group: u32,
    /// For an address (`maxWebSocketSessionsPerIpTotal`).
    #[serde(deserialize_with = "de::u32")]
    pub max_web_socket_sessions_per_ip_total: u32,
}

/// Messages a minute by kind. At the first level they are ignored for a while, at the second the address is
/// banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageThreshold {
    /// First level, by the message's `op` (`level1OpThreshold`).
    pub level1_op_threshold: BTreeMap<String, u32>,
    /// Second level, by the message's `op` (`level2OpThreshold`).
    pub level2_op_threshold: BTreeMap<String, u32>,
    /// First level, by the request's action with underscores (`level1ReqThreshold`).
    pub level1_req_threshold: BTreeMap<String, u32>,
    /// Second level, by the request's action with underscores (`level2ReqThreshold`).
    pub level2_req_threshold: BTreeMap<String, u32>,
}

/// The stream's limits in their older form, from `GET /api/pro/v1/risk-limit-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RiskLimitsV1 {
    /// The address that the limits are for (`ip`).
    pub ip: String,
    /// The limits (`webSocket`).
    pub web_socket: WebSocketLimitsV1,
}

/// The stream's limits, within [`RiskLimitsV1`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WebSocketLimitsV1 {
    /// The window that requests are counted in, minutes (`windowSizeInMinutes`).
    #[serde(deserialize_with = "de::u32")]
    pub window_size_in_minutes: u32,
    /// Requests in the window (`maxNumRequests`). What counts is not documented: most likely connections.
    #[serde(deserialize_with = "de::u32")]
    pub max_num_requests: u32,
    /// Sessions that may be open at once (`maxSessionPerIp`).
    #[serde(deserialize_with = "de::u32")]
    pub max_session_per_ip: u32,
    /// Whether the address is banned, and for what.
    #[serde(flatten)]
    pub status: BanStatus,
}
