// SPDX-License-Identifier: Apache-2.0
// The live endpoint: what is pushed is what a range query answers, evaluated once for all.
#include <catch2/catch.hpp>

#include <limits>
#include <set>
#include <thread>

#include "api/api_harness.h"
#include "api/live_client.h"
#include "api/live_request.h"
#include "api/live_viewer.h"
#include "api/occupied.h"
#include "api/write_body.h"

using namespace varve;
using test::Harness;
using test::kNow;
using test::LiveClient;
using test::LiveEvent;
using test::time_series;

namespace {

// Steps of 15 s lie at kFirst + n * 15 s; kFirst is the last one before the beginning.
constexpr Timestamp kFirst = kNow - 5000;
constexpr std::int64_t kStep = 15'000;

struct Live : Harness {
  explicit Live(api::Options api_options = {}) : Harness(std::move(api_options)) {
    api->ready(*db, *manager);
  }
  std::shared_ptr<LiveClient> open(const std::string& query, const std::string& last_id = {}) {
    auto viewer = std::make_shared<LiveClient>(query, last_id);
    api->handle(viewer);
    return viewer;
  }
  void put(const std::string& name, Timestamp time_ms, double value, const std::string& pod = "a") {
    REQUIRE(write(time_series({{"__name__", name}, {"pod", pod}}, {{time_ms, value}})).status ==
            204);
  }
  // To the time at which the n-th step after the beginning is due.
  void to_step(int n) { clock.set(kFirst + n * kStep + 500); }
  nlohmann::json range(const std::string& query, int first, int last) {
    return get("/api/v1/query_range", "query=" + query + "&step=15&start=" +
                                          std::to_string((kFirst + first * kStep) / 1000) +
                                          "&end=" + std::to_string((kFirst + last * kStep) / 1000))
        .at("data")
        .at("result");
  }
  double value_of(std::string_view name) const {
    const std::string text = metrics.render();
    const std::size_t at = text.find("\n" + std::string(name) + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }
};

LiveEvent next(LiveClient& client) {
  const auto event = client.next();
  REQUIRE(event);
  return *event;
}

std::string id_of(int step) { return std::to_string(kFirst + step * kStep); }

}  // namespace

TEST_CASE("api live: each step's points are those of a range query", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  live.put("m", kFirst, 10, "b");
  const auto client = live.open("query=sum+by+(pod)(m)*2&step=15");
  REQUIRE(client->response().status == 200);
  for (int step = 1; step <= 3; ++step) {
    if (step < 3) live.put("m", kFirst + step * kStep - 10, step + 0.5);
    live.to_step(step);
    const LiveEvent event = next(*client);
    CHECK(event.event == "points");
    CHECK(event.id == id_of(step));
    CHECK(event.data.at("query") == 0);
    CHECK(event.data.at("step") == 15);
    CHECK(event.data.at("from") == event.data.at("to"));
    CHECK(event.data.at("to") == (kFirst + step * kStep) / 1000);
    CHECK(event.data.at("result").size() == 2);
    CHECK(event.data.at("result") == live.range("sum+by+(pod)(m)*2", step, step));
  }
}

TEST_CASE("api live: several queries of a connection keep their numbers and steps", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto client = live.open("query=m&query=vector(7)&step=15&step=30");
  live.clock.set(kNow + 40'500);  // steps at +10, +25, +40; and at +10 and +40
  std::vector<nlohmann::json> both(2);
  for (int i = 0; i < 2; ++i) {
    const LiveEvent event = next(*client);
    both.at(event.data.at("query").get<std::size_t>()) = event.data;
  }
  CHECK(both[0].at("result").at(0).at("values").size() == 3);
  CHECK(both[0].at("step") == 15);
  CHECK(both[0].at("from") == (kFirst + kStep) / 1000);
  CHECK(both[0].at("to") == (kFirst + 3 * kStep) / 1000);
  CHECK(both[1].at("result").at(0).at("values").size() == 2);
  CHECK(both[1].at("result").at(0).at("values").at(0).at(1) == "7");
}

TEST_CASE("api live: one evaluation is for all who look at a query", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto one = live.open("query=m&step=15");
  const auto two = live.open("query=vector(1)&query=m&step=15");
  const auto other = live.open("query=m&step=15&lookback_delta=1m");
  CHECK(live.value_of("varve_live_viewers") == 3);
  CHECK(live.value_of("varve_live_queries") == 3);
  live.to_step(1);
  const LiveEvent first = next(*one);
  std::vector<nlohmann::json> both(2);
  for (int i = 0; i < 2; ++i) {
    const LiveEvent event = next(*two);
    both.at(event.data.at("query").get<std::size_t>()) = event.data.at("result");
  }
  CHECK(first.data.at("result") == both[1]);
  next(*other);
  CHECK(live.value_of("varve_live_evaluations_total") == 3);
}

TEST_CASE("api live: a sample that comes late has its step sent again", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  live.put("m", kFirst, 5, "b");
  const auto client = live.open("query=m&step=15");
  live.to_step(1);
  CHECK(next(*client).data.at("result").size() == 2);
  live.put("m", kFirst + kStep - 1, 2);
  live.to_step(2);
  const LiveEvent event = next(*client);
  CHECK(event.data.at("from") == event.data.at("to"));  // it does not have all of the step before
  const nlohmann::json result = event.data.at("result");
  CHECK(result.at(0) == live.range("m", 1, 2).at(0));  // the corrected step and the new one
  CHECK(result.at(1) == live.range("m", 2, 2).at(1));  // of the other series the new one alone
}

TEST_CASE("api live: who has missed steps gets them first", "[api][live]") {
  Live live;
  live.put("m", kFirst - 3 * kStep, 1);
  const bool by_event_id = GENERATE(true, false);
  CAPTURE(by_event_id);
  const std::string after = std::to_string((kFirst - 2 * kStep) / 1000);
  const auto client = by_event_id ? live.open("query=m&step=15", id_of(-2))
                                  : live.open("query=m&step=15&after=" + after);
  const LiveEvent event = next(*client);
  CHECK(event.data.at("result") == live.range("m", -1, 0));
  CHECK(event.data.at("from") == (kFirst - kStep) / 1000);
  CHECK(event.id == id_of(0));
  live.to_step(1);
  CHECK(next(*client).data.at("result") == live.range("m", 1, 1));
}

TEST_CASE("api live: after= decides where the steps lie", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto client = live.open("query=m&step=15&after=" + std::to_string(kNow / 1000));
  live.clock.set(kNow + 15'500);
  // The step of the beginning was not settled then: it comes once more.
  const nlohmann::json values = next(*client).data.at("result").at(0).at("values");
  CHECK(values.at(0).at(0) == kNow / 1000);
  CHECK(values.at(1).at(0) == kNow / 1000 + 15);
}

TEST_CASE("api live: who is far behind is told to read the range", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto client = live.open("query=m&step=15&after=1600000000");
  CHECK(next(*client).event == "reload");
  // So is everybody when the clock jumps.
  live.clock.advance(std::chrono::hours(24));
  const LiveEvent jumped = next(*client);
  CHECK(jumped.event == "reload");
  CHECK(jumped.data.at("query") == 0);
}

TEST_CASE("api live: a query that fails says so and comes back", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  live.put("n", kFirst, 1);
  live.put("n", kFirst, 1, "b");
  live.put("n", kFirst + 2 * kStep, std::numeric_limits<double>::quiet_NaN(), "b");
  const auto client = live.open("query=m+%2B+on()+(n+%3D%3D+n)&step=15");
  live.to_step(1);
  const LiveEvent failed = next(*client);
  CHECK(failed.event == "failed");
  CHECK(failed.data.at("errorType") == "execution");
  CHECK_FALSE(failed.data.at("error").get<std::string>().empty());
  CHECK(failed.id.empty());
  // Past the bad step, whoever looks is to read the range, and then gets points again.
  live.to_step(13);
  const LiveEvent answers = next(*client);
  CHECK(answers.event == "reload");
  CHECK(answers.id == id_of(13));
  live.to_step(14);
  const LiveEvent points = next(*client);
  CHECK(points.event == "points");
  CHECK(points.data.at("from") == points.data.at("to"));
  CHECK(points.id == id_of(14));
}

TEST_CASE("api live: a query that fails is tried once at each of its steps", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  live.put("n", kFirst, 1);
  live.put("n", kFirst, 1, "b");
  const auto client = live.open("query=m+%2B+on()+n&step=15");
  live.to_step(1);
  CHECK(next(*client).event == "failed");
  // What else there is to evaluate shows that time has been looked at.
  const auto other = live.open("query=vector(1)&step=2");
  for (int i = 1; i <= 5; ++i) {
    live.clock.advance(std::chrono::seconds(2));
    CHECK(next(*other).event == "points");
  }
  CHECK(live.value_of("varve_live_evaluations_total") == 6);
  live.to_step(2);
  CHECK(next(*client).event == "failed");
}

TEST_CASE("api live: a query that runs into its timeout rests as long as that took",
          "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto client = live.open("query=m&step=15");
  {
    const test::Occupied occupied(live.pool);
    const auto quiet = live.open("query=m&step=1h");
    quiet->drain();
    live.to_step(2);
    CHECK(quiet->read());  // the heartbeat, after what was due
    live.clock.advance(std::chrono::seconds(121));
    const LiveEvent failed = next(*client);
    CHECK(failed.event == "failed");
    CHECK(failed.data.at("errorType") == "timeout");
  }
  const auto other = live.open("query=vector(1)&step=15");
  for (int i = 0; i < 7; ++i) {  // seven steps are less than 121 s
    live.clock.advance(std::chrono::seconds(15));
    CHECK(next(*other).event == "points");
  }
  CHECK(live.value_of("varve_live_evaluations_total") == 7);
  live.clock.advance(std::chrono::seconds(30));
  CHECK(next(*client).event == "reload");
}

TEST_CASE("api live: what falls due at once does not overflow the queue", "[api][live]") {
  api::Options options;
  options.limits.queries_queued_max = 4;
  Live live(options);
  live.put("m", kFirst, 1);
  std::string queries = "step=15";
  for (int i = 0; i < 20; ++i) queries += "&query=m*" + std::to_string(i);
  const auto client = live.open(queries);
  {
    const test::Occupied occupied(live.pool);
    const auto quiet = live.open("query=m&step=1h");
    quiet->drain();
    live.to_step(2);
    CHECK(quiet->read());  // the heartbeat, after what was due
  }
  std::set<int> seen;
  for (int i = 0; i < 20; ++i) {
    const LiveEvent event = next(*client);
    CHECK(event.event == "points");
    seen.insert(event.data.at("query").get<int>());
  }
  CHECK(seen.size() == 20);
}

TEST_CASE("api live: the bound of queries counts each once", "[api][live]") {
  api::Options options;
  options.limits.live_queries_max = 2;
  Live live(options);
  const auto one = live.open("query=m&query=n&query=m&step=15");
  CHECK(one->response().status == 200);
  const auto same = live.open("query=n&query=m&step=15");
  CHECK(same->response().status == 200);
  CHECK(live.open("query=o&step=15")->response().status == 503);
}

TEST_CASE("api live: a posted form is let go of at once, and is bounded", "[api][live]") {
  Live live;
  const auto post = [&](std::size_t bytes) {
    const auto client = std::make_shared<LiveClient>("");
    std::string form = "step=15&query=";
    while (form.size() + 7 < bytes) form += "vector(1)%2B";
    client->post(form + "vector(1)");
    live.api->handle(client);
    return client;
  };
  const auto taken = post(2000);
  CHECK(taken->response().status == 200);
  CHECK(taken->request().body.empty());
  const auto refused = post(2 * api::kLiveRequestMaxBytes);
  CHECK(refused->response().status == 400);
  CHECK_THAT(refused->response().body, Catch::Contains("more than the 262144 of a live request"));
}

TEST_CASE("api live: what no range query takes is refused at once", "[api][live]") {
  Live live;
  const auto [query, status] = GENERATE(table<std::string, int>({
      {"step=15", 400},
      {"query=up", 400},
      {"query=up&step=0", 400},
      {"query=up&step=0.01", 400},
      {"query=up&step=99999999", 400},
      {"query=up&step=x", 400},
      {"query=up(&step=15", 400},
      {"query=up[5m]&step=15", 400},
      {"query=%22text%22&step=15", 400},
      {"query=up&query=up&query=up&step=15&step=30", 400},
      {"query=up&step=15&after=yesterday", 400},
      {"query=up&step=15&lookback_delta=-1", 400},
      {"query=up&step=15", 200},
  }));
  CAPTURE(query);
  CHECK(live.open(query)->response().status == status);
}

TEST_CASE("api live: viewers are bounded, and who leaves makes room", "[api][live]") {
  api::Options options;
  options.limits.live_viewers_max = 2;
  Live live(options);
  const auto one = live.open("query=m&step=15");
  const auto two = live.open("query=m&step=15");
  const auto three = live.open("query=m&step=15");
  CHECK(three->response().status == 503);
  CHECK(three->response().body.find("unavailable") != std::string::npos);
  one->hang_up();
  CHECK(live.open("query=n&step=15")->response().status == 200);
}

TEST_CASE("api live: nothing is evaluated for those who have gone", "[api][live]") {
  Live live;
  live.put("m", kFirst, 1);
  const auto client = live.open("query=m&step=15");
  live.to_step(1);
  next(*client);
  client->hang_up();
  while (live.value_of("varve_live_queries") > 0) std::this_thread::yield();
  const auto stays = live.open("query=vector(1)&step=15");
  live.to_step(3);
  next(*stays);
  CHECK(live.value_of("varve_live_evaluations_total") == 2);
  CHECK(live.value_of("varve_live_viewers") == 1);
}

TEST_CASE("api live: a quiet stream shows that it lives, and ends with the server", "[api][live]") {
  Live live;
  const auto client = live.open("query=m&step=1h");
  client->drain();
  live.clock.advance(std::chrono::seconds(20));
  CHECK(client->read());
  live.api->stopping();
  CHECK_FALSE(client->next());
  CHECK(client->comments() == 1);
  CHECK(live.open("query=m&step=15")->response().status == 503);
}

TEST_CASE("api live: an id says up to where nothing is missing", "[api][live]") {
  api::LiveViewer viewer(std::make_shared<api::LiveLoad>(), {10, 50});
  const auto text = std::make_shared<const std::string>("}");
  const auto id_after = [&](Timestamp after, Timestamp to) {
    viewer.push_points(0, after, to, text);
    std::string piece;
    CHECK(viewer.next(piece));
    const std::size_t at = piece.find("id: ");
    REQUIRE(at != std::string::npos);
    return std::stoll(piece.substr(at + 4));
  };
  CHECK(id_after(30, 35) == 10);  // newer ones came first
  CHECK(id_after(35, 40) == 10);
  CHECK(id_after(10, 30) == 40);
  CHECK(id_after(40, 60) == 50);  // of the other query
}

TEST_CASE("api live: a viewer that does not read is told to begin anew", "[api][live]") {
  const auto load = std::make_shared<api::LiveLoad>();
  api::LiveViewer viewer(load, {0, 0});
  const auto text = std::make_shared<const std::string>(std::string(1 << 20, 'x'));
  for (Timestamp t = 1; t <= 4; ++t) viewer.push_points(0, t - 1, t, text);
  CHECK(load->pending_bytes < api::LiveViewer::kPendingMaxBytes);
  std::string all;
  for (std::size_t before = 1; all.size() != before;) {
    before = all.size();
    std::string piece;
    CHECK(viewer.next(piece));
    all += piece;
  }
  CHECK(all.find("event: reload\ndata: {\"query\":0}\n\n") != std::string::npos);
  CHECK(all.find("event: reload\ndata: {\"query\":1}\n\n") != std::string::npos);
  CHECK(all.find("event: points") == std::string::npos);
  CHECK(load->pending_bytes == 0);
}

TEST_CASE("api live: all viewers together keep to a bound", "[api][live]") {
  const auto load = std::make_shared<api::LiveLoad>();
  const auto text = std::make_shared<const std::string>(std::string(3 << 20, 'x'));
  {
    std::vector<std::unique_ptr<api::LiveViewer>> viewers;
    for (int i = 0; i < 50; ++i) {
      viewers.push_back(std::make_unique<api::LiveViewer>(load, std::vector<Timestamp>{0}));
      viewers.back()->push_points(0, 0, 1, text);
    }
    CHECK(load->viewers == 50);
    CHECK(load->pending_bytes <= api::LiveViewer::kPendingTotalMaxBytes);
    CHECK(load->pending_bytes > 60u << 20);
  }
  CHECK(load->viewers == 0);
  CHECK(load->pending_bytes == 0);
}
