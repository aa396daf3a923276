"""Looks at the status page with a real browser, step by step with the test that started it.

Usage: status_page.py ADDRESS JOB [SCREENSHOT]. Prints a line when a thing was seen; anything else is a failure.
"""
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

address, job = sys.argv[1:3]
options = webdriver.ChromeOptions()
for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]:
    options.add_argument(argument)
options.binary_location = "/usr/bin/chromium"
options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def seen(what):
    print(what, flush=True)


def wait(condition, seconds=30):
    return WebDriverWait(browser, seconds, poll_frequency=0.1).until(lambda _: condition())


def progress():
    found = browser.find_elements(By.CSS_SELECTOR, f"#job-{job} progress")
    value = found[0].get_attribute("value") if found else None
    return float(value) if value else None


def page_text():
    return browser.find_element(By.ID, "main").text


def emulate(name, parameters):
    browser.execute_cdp_cmd(name, parameters)


try:
    browser.get(address + "/")
    first = wait(progress)
    # By itself: nothing here loads the page again.
    wait(lambda: (progress() or 0) > first)
    seen("progress moves")

    wait(lambda: "Store a valid one" in page_text(), 60)
    seen("reason shown")

    link = browser.find_element(By.CSS_SELECTOR, "#failures ~ table a")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    wait(lambda: browser.switch_to.active_element.tag_name == "a", 5)
    browser.execute_script("arguments[0].focus()", link)
    link.send_keys(Keys.ENTER)
    wait(lambda: "/jobs/" in browser.current_url)
    assert "failed" in page_text() and "ERROR" in page_text(), page_text()
    seen("keyboard leads to the job")

    browser.get(address + "/")
    emulate("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True})
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360, f"the page is {width} wide on a phone of 360"
    astray = browser.execute_script(
        """
        return [...document.querySelectorAll("td")].filter(cell => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            const left = cell.getBoundingClientRect().left + 90;
            return [...range.getClientRects()].some(box => box.width > 0 && (box.left < left || box.right > 360));
        }).map(cell => cell.dataset.label)
        """
    )
    assert not astray, f"cells whose content is not beside their label: {astray}"
    seen("fits a phone")
    emulate("Emulation.clearDeviceMetricsOverride", {})

    ground = "return getComputedStyle(document.body).backgroundColor"
    for scheme, colour in [("dark", "rgb(20, 23, 31)"), ("light", "rgb(255, 255, 255)")]:
        emulate("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        assert browser.execute_script(ground) == colour, browser.execute_script(ground)
    seen("dark mode")

    emulate("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(address + "/")
    assert "Health" in page_text() and "Store a valid one" in page_text()
    emulate("Emulation.setScriptExecutionDisabled", {"value": False})
    seen("facts without scripts")

    browser.get(address + "/")
    assert not browser.find_element(By.ID, "stale").is_displayed()
    faults = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not faults, faults
    outside = [
        entry["message"]
        for entry in browser.get_log("performance")
        if "Network.requestWillBeSent\"" in entry["message"]
        and f'"url":"{address}' not in entry["message"]
        and '"url":"data:' not in entry["message"]
        and '"url":"http' in entry["message"]
    ]
    assert not outside, outside
    seen("nothing from outside, no complaints")

    # The test stops the sidecar now.
    wait(lambda: browser.find_element(By.ID, "stale").is_displayed(), 30)
    text = browser.find_element(By.ID, "stale").text
    assert "does not answer" in text and "s old" in text, text
    seen("stale notice")
finally:
    browser.quit()
