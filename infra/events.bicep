// Event Grid subscriptions of the app. The one for deleted images is deployed with everything else.
// hooks/postdeploy deploys this file again, with the app's name, for new images: that endpoint has a
// key which the app creates at its first start. The key goes from the app to Event Grid; neither a
// person nor a script sees it.

@description('Event Grid topic of the account with images.')
param topicName string

@description('Account with images.')
param imagesAccountName string

@description('Container whose images are captioned.')
param imagesContainer string

@description('Queue of events of deleted images.')
param deletedQueue string

@description('Container of events that could not be delivered.')
param deadLetterContainer string

@description('The function app. Empty: it is not deployed yet, and hears of new images later.')
param appName string = ''

// The name of the function in function_app.py. The endpoint accepts unknown names, too, and the events
// are lost; tests/infra/test_events.py compares both.
var functionName = 'caption_image'

// With the last slash: without it, a container `images-archive` would match as well.
var onlyImages = '/blobServices/default/containers/${imagesContainer}/blobs/'

var retryPolicy = {
  eventTimeToLiveInMinutes: 1440
  maxDeliveryAttempts: 30
}

resource images 'Microsoft.Storage/storageAccounts@2026-06-01' existing = { name: imagesAccountName }
resource app 'Microsoft.Web/sites@2025-03-01' existing = if (!empty(appName)) { name: appName }

var deadLetters = {
  identity: { type: 'SystemAssigned' }
  deadLetterDestination: {
    endpointType: 'StorageBlob'
    properties: {
      resourceId: images.id
      blobContainerName: deadLetterContainer
    }
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName

  resource deleted 'eventSubscriptions' = {
    name: 'deleted'
    properties: {
      deliveryWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        destination: {
          endpointType: 'StorageQueue'
          properties: {
            resourceId: images.id
            queueName: deletedQueue
            queueMessageTimeToLiveInSeconds: 604800
          }
        }
      }
      eventDeliverySchema: 'EventGridSchema'
      filter: {
        includedEventTypes: ['Microsoft.Storage.BlobDeleted']
        subjectBeginsWith: onlyImages
      }
      retryPolicy: retryPolicy
      deadLetterWithResourceIdentity: deadLetters
    }
  }

  resource created 'eventSubscriptions' = if (!empty(appName)) {
    name: 'created'
    properties: {
      destination: {
        endpointType: 'WebHook'
        properties: {
          endpointUrl: 'https://${app!.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.${functionName}&code=${listKeys('${app!.id}/host/default', '2025-03-01').systemKeys.blobs_extension}'
          maxEventsPerBatch: 1
          preferredBatchSizeInKilobytes: 64
        }
      }
      eventDeliverySchema: 'EventGridSchema'
      filter: {
        includedEventTypes: ['Microsoft.Storage.BlobCreated']
        subjectBeginsWith: onlyImages
        // Uploads in several steps cause several events: only those that complete an upload count.
        advancedFilters: [
          {
            operatorType: 'StringIn'
            key: 'data.api'
            values: ['CopyBlob', 'FlushWithClose', 'PutBlob', 'PutBlockList']
          }
        ]
      }
      retryPolicy: retryPolicy
      deadLetterWithResourceIdentity: deadLetters
    }
  }
}
