use super::*;
use jiff::SignedDuration;

fn reason(name: &str, csv: &str) -> String {
    parse(name, csv.as_bytes()).unwrap_err().to_string()
}

/// The shipped lookups with one of them replaced.
fn with(name: &str, csv: &str) -> Lookups {
    let mut lookups = Lookups::shipped();
    lookups.replace(parse(name, csv.as_bytes()).unwrap());
    lookups
}

#[test]
fn every_shipped_lookup_can_be_read() {
    for (name, csv) in SHIPPED {
        assert!(parse(name, csv.as_bytes()).is_ok(), "{name}");
    }
    assert!(MapName::ALL.iter().all(|map| Lookups::names().any(|name| name == map.as_str())));
    assert_eq!(Lookups::shipped().maps.len(), MapName::ALL.len());
}

#[test]
fn a_value_that_is_not_listed_is_named_together_with_its_lookup() {
    let lookups = with("HeadEndSystem", "key,value\nACME,HES-7\n");
    assert_eq!(lookups.translate(MapName::HeadEndSystem, "ACME"), Ok("HES-7"));
    let miss = lookups.translate(MapName::HeadEndSystem, "acme").unwrap_err();
    assert_eq!(miss.to_string(), "lookup HeadEndSystem has no entry for \"acme\"");
    assert_eq!(miss.at("headEndSystem").to_string(), "headEndSystem: lookup HeadEndSystem has no entry for \"acme\"");
}

#[test]
fn values_pass_as_they_are_only_where_the_lookup_says_so() {
    let lookups = Lookups::shipped();
    assert_eq!(lookups.translate(MapName::HeadEndSystem, "ACME"), Ok("ACME"));
    assert!(lookups.translate(MapName::AssetType, "THERMOSTAT").is_err());
    assert_eq!(lookups.translate(MapName::EventStatus, "CANCELLED"), Ok("CANCELED"));
    assert_eq!(
        reason("HeadEndSystem", "key,value\n*,OTHER\n"),
        "lookup HeadEndSystem, line 2: key \"*\" takes only value \"*\": a lookup has no default"
    );
}

#[test]
fn a_lookup_read_backwards_never_guesses() {
    let back = |csv: &str| with("HeadEndSystem", csv).map(MapName::HeadEndSystem).reversed();
    let map = back("key,value\nACME,HES-7\nVOLT,HES-8\nWATT,HES-8\n*,*\n");
    assert_eq!(map.get("HES-7"), Ok("ACME"));
    assert_eq!(map.get("OTHER"), Ok("OTHER"));
    assert!(map.get("HES-8").is_err(), "it stands for two");
    assert_eq!(map.get("ACME").unwrap_err().to_string(), "lookup HeadEndSystem has no entry for \"ACME\"");
    let swapped = back("key,value\nA,B\nB,A\n");
    assert_eq!((swapped.get("A"), swapped.get("B")), (Ok("B"), Ok("A")));
    assert!(swapped.get("C").is_err());
}

#[test]
fn a_broken_lookup_is_refused_with_its_line_and_its_reason() {
    let cases = [
        ("", "lookup EventType: the file is empty"),
        ("key,value\nECONOMIC,X1EC\nECONOMIC,X1EM\n", "lookup EventType, line 3: key \"ECONOMIC\" is there twice"),
        ("key,value\n\nECONOMIC,\n", "lookup EventType, line 3: value is empty"),
        ("key,value\n\"A\nB\",X\nC, D\n", "lookup EventType, line 4: value \" D\" begins or ends with white space"),
        ("key,value\nECONOMIC\n", "lookup EventType, line 2: too few fields: the row has 1, the header has 2"),
        ("key\nECONOMIC\n", "lookup EventType, line 1: wrong header: column value is missing"),
        (
            "key,value,note\nA,B,C\n",
            "lookup EventType, line 1: wrong header: column \"note\" is not allowed in this file",
        ),
        ("key,value\nA,\"B\n", "lookup EventType, line 2: a quoted field is opened and never closed"),
    ];
    for (csv, why) in cases {
        assert_eq!(reason("EventType", csv), why);
    }
    let fault = parse("EventType", b"key,value\nA,\xff\n").unwrap_err();
    assert_eq!(fault.to_string(), "lookup EventType, line 2: value: is not valid UTF-8");
    assert_eq!(reason("Weather", "key,value\n"), "lookup Weather: there is no such lookup");
}

#[test]
fn an_unknown_message_number_or_none_is_a_refusal() {
    let lookups = Lookups::shipped();
    let messages = lookups.dacs_messages();
    assert_eq!(messages.verdict(Some(10589)), Verdict::AlreadyDone);
    assert_eq!(messages.verdict(Some(20012)), Verdict::NotYet);
    assert_eq!(messages.verdict(Some(20021)), Verdict::Refused);
    assert_eq!(messages.verdict(Some(1)), Verdict::Refused);
    assert_eq!(messages.verdict(None), Verdict::Refused);
    let header = "messageNumber,verdict,meaning\n";
    assert_eq!(
        reason("DacsMessages", &format!("{header}1,MAYBE,\n")),
        "lookup DacsMessages, line 2: verdict \"MAYBE\" is not ALREADY_DONE, NOT_YET or REFUSED"
    );
    assert!(reason("DacsMessages", &format!("{header}1,REFUSED,\n01,NOT_YET,\n")).ends_with("is there twice"));
}

#[test]
fn a_sender_may_spell_only_columns_that_we_have() {
    let lookups = with("Columns-device-score", "column,spelling\nnicId,NIC_ID\n");
    assert_eq!(lookups.spelling("device-score").of("nicId"), Some("NIC_ID"));
    assert_eq!(lookups.spelling("kwh-avoided"), Spelling::default());
    assert!(with("Columns-kwh-avoided", "column,spelling\nKwDrop,Drop\nTotalKwh,Sum\n").columns.len() == FILES.len());
    assert_eq!(
        reason("Columns-device-score", "column,spelling\nKwDrop,Drop\n"),
        "lookup Columns-device-score, line 2: column \"KwDrop\" is not one of ours"
    );
    assert!(reason("Columns-device-score", "column,spelling\nnicId,X\nscore,X\n").ends_with("\"X\" is there twice"));
    assert!(reason("Columns-weather", "column,spelling\n").ends_with("there is no such kind of file"));
}

#[test]
fn a_message_is_routed_by_its_value_or_by_the_row_for_the_rest() {
    let lookups = Lookups::shipped();
    assert_eq!(lookups.routing().target(RouteBy::Division, Some("NORTH")), Ok("derms"));
    assert_eq!(lookups.routing().target(RouteBy::DrmsInstanceId, None), Ok("dacs"));
    let lookups = with("Routing", "by,value,target\ndivision,NORTH,derms-north\n");
    assert_eq!(lookups.routing().target(RouteBy::Division, Some("NORTH")), Ok("derms-north"));
    assert_eq!(
        lookups.routing().target(RouteBy::Division, Some("SOUTH")).unwrap_err().to_string(),
        "lookup Routing has no entry for \"division=SOUTH\""
    );
    assert!(reason("Routing", "by,value,target\nweather,1,derms\n").ends_with("neither drmsInstanceId nor division"));
}

#[test]
fn a_target_has_a_url_a_secret_and_a_rate() {
    let header = "name,kind,url,secret,rate\n";
    let lookups = with("Targets", &format!("{header}derms-north,derms,https://derms.example/api/,derms-north,50\n"));
    let target = lookups.target("derms-north").unwrap();
    assert_eq!((target.kind, target.url.as_str(), target.rate), (System::Derms, "https://derms.example/api", 50));
    assert_eq!(lookups.target("derms"), None);
    for (row, why) in [
        ("d,derms,ftp://x,s,5", "url \"ftp://x\" is not an http or https URL"),
        ("d,ofs,https://x,s,5", "kind \"ofs\" is not dacs, derms or ouai"),
        ("d,derms,https://x,s,0", "rate is not a whole number of calls per second above 0"),
    ] {
        assert_eq!(reason("Targets", &format!("{header}{row}\n")), format!("lookup Targets, line 2: {why}"));
    }
}

#[test]
fn programs_files_and_recipients_are_read_strictly() {
    let lookups = with("Program", "programId,programCode,programExternalIdentifier\n77,TSTAT,SUMMER\n78,EV,\n");
    assert_eq!(lookups.programs().by_code("TSTAT").unwrap().id, "77");
    assert_eq!(lookups.programs().by_id("78").unwrap().external_id, "");
    assert_eq!(lookups.programs().by_code("X").unwrap_err().to_string(), "lookup Program has no entry for \"X\"");

    let header = "flow,cron,timeZone,grace,minimumRows\n";
    let row = "dacs-derms-device-score,0 5 * * *,America/New_York,PT30M,1000\n";
    let lookups = with("ExpectedFiles", &format!("{header}{row}"));
    assert_eq!(lookups.expected_files()[0].grace, SignedDuration::from_mins(30));
    for (row, why) in [
        (row.replace("0 5 * * *", "daily"), "cron \"daily\" is not five fields of cron"),
        (row.replace("0 5", "0 25"), "cron \"0 25 * * *\" is not five fields of cron"),
        (row.replace("device-score", "weather"), "flow \"dacs-derms-weather\" is not a flow of files"),
        (row.replace("America", "Amerika"), "timeZone \"Amerika/New_York\" is not an IANA zone"),
        (row.replace("PT30M", "soon"), "grace \"soon\" is not an ISO 8601 duration such as PT30M"),
        (row.replace("1000", "many"), "minimumRows is not a whole number"),
    ] {
        assert_eq!(reason("ExpectedFiles", &format!("{header}{row}")), format!("lookup ExpectedFiles, line 2: {why}"));
    }

    let lookups =
        with("Recipients", "audience,address\ntechnical,ops@utility.example\nbusiness-dacs,it@utility.example\n");
    assert_eq!(lookups.recipients()[1].business_of, Some(System::Dacs));
    assert!(reason("Recipients", "audience,address\nall,x@y.example\n").ends_with("nor business-<system>"));
}
