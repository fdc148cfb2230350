//! The bugs that were collected from real projects, B1 to B89, and the errata of the post, S1 to S22: what holds each.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its number.
    pub id: &'static str,
    /// What it is, or why a dump has nothing of it.
    pub held: Held,
}

/// Where a row is found.
#[derive(Debug, Clone, Copy)]
pub enum Held {
    /// These known mistakes have its numbers.
    By(&'static [&'static str]),
    /// It is another value of this choice, which is wrong where the file states the right one, or whoever takes it.
    Choice(&'static str),
    /// A dump cannot show it, since.
    NotShown(&'static str),
}

use Held::{By, Choice, NotShown};

const fn row(id: &'static str, held: Held) -> Row {
    Row { id, held }
}

/// Every row.
pub const ROWS: &[Row] = &[
    row("B1", By(&["PadValuesRead"])),
    row("B2", By(&["PadValuesRead"])),
    row("B3", By(&["MaskInAnotherOrder"])),
    row("B4", By(&["FirstPadValueRead"])),
    row("B5", By(&["GapValuesRead"])),
    row("B6", By(&["ScoreDecaysThroughTail"])),
    row("B7", By(&["ScoreUnderTheMask"])),
    row("B8", Choice("gap")),
    row("B9", By(&["GapRewardsRead"])),
    row("B10", By(&["ValueOneEarly", "ValueOneLate"])),
    row("B11", By(&["EveryRowBootstrapped"])),
    row("B12", By(&["MeanOverPadding"])),
    row("B13", By(&["NanBeneathTheMask"])),
    row("B14", By(&["PadRewardsRead"])),
    row("B15", NotShown("the mean of a group of responses is no term of PPO, and a dump has no groups")),
    row("B16", By(&["ReturnsAreRewards", "PadValuesRead", "MeanOverPadding"])),
    row("B17", By(&["LogProbOneEarly"])),
    row("B18", By(&["SlotPastTheEnd", "ScorePastTheEnd"])),
    row("B19", By(&["ScoreOnEveryToken"])),
    row("B20", Choice("score_at")),
    row("B21", By(&["NoBootstrap", "ReturnsWithoutBootstrap"])),
    row("B22", By(&["EveryRatioWithEveryAdvantage", "ScoreBroadcast"])),
    row(
        "B23",
        NotShown(
            "which forward pass made the log-probs is not in it; a ratio that is not 1 is right for them",
        ),
    ),
    row("B24", By(&["DoneOneLate", "NextEpisodesValue"])),
    row("B25", By(&["LastFlagOneEarly", "LastValueRepeated"])),
    row("B26", Choice("done_at")),
    row("B27", By(&["LastValueRepeated"])),
    row("B28", By(&["ReturnsAreValues"])),
    row("B29", By(&["RewardOneEarly", "RewardOneLate"])),
    row("B30", By(&["CarryNotReset"])),
    row("B31", By(&["DoneOneLate", "NoBootstrap"])),
    row("B32", By(&["NextEpisodesValue"])),
    row("B33", By(&["LastAlwaysZero"])),
    row("B34", By(&["BootstrapTwice"])),
    row("B35", By(&["StridesIgnored"])),
    row("B36", By(&["LastAlwaysZero", "TransitionsOneShort"])),
    row("B37", By(&["WeightsForgotten", "WeightsTwice"])),
    row("B38", By(&["ImportanceOfTheRewardAlone"])),
    row("B39", By(&["NoBootstrap", "NextEpisodesValue"])),
    row("B40", By(&["PaddingInTheMean", "PaddingInTheStatistics"])),
    row("B41", By(&["WhitenedByShard"])),
    row("B42", By(&["MeansBroadcast"])),
    row("B43", NotShown("0/0 is what the equation has for one token, so that a NaN there is no difference")),
    row("B44", Choice("variance")),
    row("B45", By(&["OnePassVariance"])),
    row("B46", Choice("eps_at")),
    row("B47", By(&["WhitenedByColumn"])),
    row("B48", Choice("eps")),
    row("B49", By(&["SumOverPadding"])),
    row("B50", By(&["WhitenedPadsLeak"])),
    row("B51", By(&["PaddingInTheStatistics"])),
    row("B52", Choice("vf_half")),
    row("B53", By(&["TimesItsParts", "OverItsParts"])),
    row("B54", By(&["SmallerError"])),
    row("B55", By(&["LossClamped", "ClippedBranchDetached"])),
    row("B56", By(&["OldValuesRecomputed"])),
    row("B57", By(&["NothingCounted"])),
    row(
        "B58",
        NotShown("the mean and deviation of a value normaliser are not in it, so no scale can be put right"),
    ),
    row("B59", Choice("listing")),
    row("B60", By(&["HalfTwice"])),
    row("B61", By(&["NoGradient"])),
    row("B62", By(&["ReturnsFromWhitened", "ReturnsAreValues"])),
    row("B63", By(&["DualClipNeverCounted"])),
    row("B64", By(&["DualClipOfGoodTokens"])),
    row("B65", Choice("clip_ratio_c")),
    row("B66", By(&["ClipToEpsilon"])),
    row("B67", By(&["ClipOfTheProduct"])),
    row("B68", Choice("loss_agg_mode")),
    row("B69", By(&["OverSquaredRanks", "TimesItsParts", "OverItsParts"])),
    row("B70", By(&["MeanOfMeans"])),
    row("B71", By(&["TheOthersCounted"])),
    row("B72", By(&["KlSummed"])),
    row("B73", Choice("kl_loss_kind")),
    row("B74", By(&["KlAdded"])),
    row("B75", NotShown("the call raises, and there is no dump")),
    row(
        "B76",
        NotShown("the controller of β_kl stands between steps; the β_kl of this one is in its rewards"),
    ),
    row("B77", NotShown("the norm of the parameters' gradient is not in it")),
    row("B78", By(&["ClipInLogSpace"])),
    row("B79", By(&["EntropyAdded"])),
    row("B80", By(&["negated-entropy-loss", "EntropyTurned"])),
    row("B81", Choice("entropy_coef")),
    row("B82", By(&["InvalidLogProbCounted"])),
    row("B83", By(&["EntropyBeforeTemperature"])),
    row("B84", By(&["TemperatureTwice", "EntropyOfTheGradient"])),
    row("B85", By(&["PhantomLogits"])),
    row("B86", By(&["RunningMaximumFromZero"])),
    row("B87", By(&["EntropyOfAPiece"])),
    row("B88", By(&["PhantomLogits"])),
    row("B89", By(&["LogProbOneEarly", "EntropyOneEarly"])),
    row("S1", By(&["ReturnsFromWhitened"])),
    row("S2", By(&["FirstPadValueRead"])),
    row("S3", By(&["NoBootstrap"])),
    row("S4", By(&["ValueOneEarly"])),
    row("S5", NotShown("whether critic and policy share a network is not in it")),
    row("S6", By(&["ScoreBroadcast"])),
    row("S7", Choice("listing")),
    row("S8", Choice("listing")),
    row("S9", Choice("variance")),
    row("S10", By(&["EntropyAdded"])),
    row("S11", Choice("entropy_coef")),
    row("S12", Choice("vf_half")),
    row("S13", Choice("listing")),
    row("S14", NotShown("it says what a clip does to training, and no number of a step is another for it")),
    row("S15", By(&["LastErrorDecayed"])),
    row("S16", By(&["AdvantagesAreReturns"])),
    row("S17", By(&["ScoreForAdvantage", "EveryRatioWithEveryAdvantage"])),
    row("S18", By(&["AdvantagesFromNewValues"])),
    row("S19", By(&["LogProbBeforeTemperature", "LogProbOneEarly"])),
    row("S20", NotShown("how many steps an optimizer takes on a rollout is not in it")),
    row("S21", NotShown("it says what a step costs, and no number of a step is another for it")),
    row("S22", NotShown("the norm of the parameters' gradient is not in it")),
];
